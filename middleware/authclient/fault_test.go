package authclient_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// getConcurrently sends n requests at once and returns their statuses and errors.
func getConcurrently(rt http.RoundTripper, n int) (statuses []int, errs []error) {
	statuses, errs = make([]int, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { statuses[i], errs[i] = tryGet(context.Background(), rt) })
	}
	wg.Wait()
	return statuses, errs
}

func repeat[T any](v T, n int) []T { return slices.Repeat([]T{v}, n) }

// answers returns a refresh hook that answers the first requests so; nil leaves the answer to the world.
func answers(all ...func(r *http.Request) (*http.Response, error)) func(int, *http.Request, url.Values) (*http.Response, error) {
	return func(n int, r *http.Request, _ url.Values) (*http.Response, error) {
		if n > len(all) || all[n-1] == nil {
			return nil, nil
		}
		return all[n-1](r)
	}
}

func answer(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return response(status, body, header...), nil }
}

func noAnswer(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection reset by peer")
}

// 100 concurrent requests need a refresh, which fails in every possible way. The token lives for an hour. The requests
// come "before" its expiry, within the margin, or "after" it.
func TestRefreshFaults(t *testing.T) {
	const n = 100
	lost := func(w *world) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			w.rotate("rt-1") // the server rotates, but the answer is lost
			return noAnswer(r)
		}
	}
	slow := func(d time.Duration, w *world) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			resp := w.rotate("rt-1")
			select {
			case <-time.After(d):
				return resp, nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
	}
	grantEnded := answer(400, `{"error":"invalid_grant"}`)
	busy := answer(503, "")
	type answerer = func(*http.Request) (*http.Response, error)

	for _, row := range []struct {
		name      string
		after     bool
		answers   func(w *world) []answerer
		status    int    // of all requests
		token     string // that they were sent with
		err       error  // of all requests, if not nil
		refreshes int
		ended     int // calls of OnLoginRequired
	}{
		{"no fault, before", false, nil, 200, "at-2", nil, 1, 0},
		{"no fault, after", true, nil, 200, "at-2", nil, 1, 0},
		{"lost answer, the retry gets the successor", true, func(w *world) []answerer { return []answerer{lost(w)} }, 200, "at-2", nil, 2, 0},
		{"no answer twice, before: the old token is used", false, func(*world) []answerer { return []answerer{noAnswer, noAnswer} }, 200, "at-1", nil, 2, 0},
		{"no answer twice, after", true, func(*world) []answerer { return []answerer{noAnswer, noAnswer} }, 0, "", authclient.ErrRefreshFailed, 2, 0},
		{"slow, within the first attempt", true, func(w *world) []answerer { return []answerer{slow(4*time.Second, w)} }, 200, "at-2", nil, 1, 0},
		{"slow, the second attempt is within the grace", true, func(w *world) []answerer { return []answerer{slow(time.Minute, w)} }, 200, "at-2", nil, 2, 0},
		{"slow twice, within the timeout", true, func(w *world) []answerer { return []answerer{slow(time.Minute, w), slow(20*time.Second, w)} }, 200, "at-2", nil, 2, 0},
		{"never an answer", true, func(w *world) []answerer { return []answerer{slow(time.Hour, w), slow(time.Hour, w)} }, 0, "", authclient.ErrRefreshFailed, 2, 0},
		{"503 once", true, func(*world) []answerer { return []answerer{busy} }, 200, "at-2", nil, 2, 0},
		{"503 twice, before", false, func(*world) []answerer { return []answerer{busy, busy} }, 200, "at-1", nil, 2, 0},
		{"503 twice, after", true, func(*world) []answerer { return []answerer{busy, busy} }, 0, "", authclient.ErrRefreshFailed, 2, 0},
		{"429, Retry-After of a second", true, func(*world) []answerer { return []answerer{answer(429, "", "Retry-After", "1")} }, 200, "at-2", nil, 2, 0},
		{"429, Retry-After of a minute, before", false, func(*world) []answerer { return []answerer{answer(429, "", "Retry-After", "60")} }, 200, "at-1", nil, 1, 0},
		{"429, Retry-After of a minute, after", true, func(*world) []answerer { return []answerer{answer(429, "", "Retry-After", "60")} }, 0, "", authclient.ErrRefreshFailed, 1, 0},
		{"invalid_grant, before", false, func(*world) []answerer { return []answerer{grantEnded} }, 0, "", authclient.ErrLoginRequired, 1, 1},
		{"invalid_grant, after", true, func(*world) []answerer { return []answerer{grantEnded} }, 0, "", authclient.ErrLoginRequired, 1, 1},
		{"invalid_client is not retried", true, func(*world) []answerer { return []answerer{answer(401, `{"error":"invalid_client"}`)} }, 0, "", authclient.ErrRefreshFailed, 1, 0},
		{"invalid_client, before", false, func(*world) []answerer { return []answerer{answer(401, `{"error":"invalid_client"}`)} }, 200, "at-1", nil, 1, 0},
		{"400 without an error", true, func(*world) []answerer { return []answerer{answer(400, "")} }, 0, "", authclient.ErrRefreshFailed, 1, 0},
		{"503 with invalid_grant is a 503", true, func(*world) []answerer { return []answerer{answer(503, `{"error":"invalid_grant"}`)} }, 200, "at-2", nil, 2, 0},
		{"503 with invalid_grant, twice", true, func(*world) []answerer {
			return slices.Repeat([]answerer{answer(503, `{"error":"invalid_grant"}`)}, 2)
		}, 0, "", authclient.ErrRefreshFailed, 2, 0},
		{"200 with invalid_grant", true, func(*world) []answerer { return []answerer{answer(200, `{"error":"invalid_grant"}`)} }, 0, "", authclient.ErrLoginRequired, 1, 1},
		{"a web page", true, func(*world) []answerer { return []answerer{answer(200, "<html>Log in to the hotel's network")} }, 0, "", authclient.ErrRefreshFailed, 1, 0},
		{"a redirect", true, func(*world) []answerer { return []answerer{answer(307, "", "Location", "https://evil.example/token")} }, 0, "", authclient.ErrRefreshFailed, 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				if row.answers != nil {
					w.refresh = answers(row.answers(w)...)
				}
				ended := 0
				rt := w.transport(t, func(cfg *authclient.Config) {
					cfg.OnLoginRequired = func(err error) {
						ended++
						assert.ErrorIs(t, err, authclient.ErrLoginRequired)
					}
				})
				if row.after {
					time.Sleep(time.Hour)
				} else {
					time.Sleep(time.Hour - 5*time.Second)
				}

				statuses, errs := getConcurrently(rt, n)
				for i := range n {
					if row.err != nil {
						assert.ErrorIs(t, errs[i], row.err)
					} else {
						assert.NoError(t, errs[i])
					}
				}
				assert.Equal(t, repeat(row.status, n), statuses)
				assert.Equal(t, row.refreshes, w.refreshed())
				assert.Equal(t, row.ended, ended)
				if row.err == nil {
					assert.Equal(t, repeat(row.token, n), w.sent())
				} else {
					assert.Empty(t, w.sent(), "no request is sent that must fail")
				}
				for _, form := range w.forms {
					assert.Equal(t, "rt-1", form.Get("refresh_token"), "all attempts use the same refresh token")
				}
			})
		})
	}
}

// The same after a 401: the API rejects the token long before it expires.
func TestRefreshFaultsAfter401(t *testing.T) {
	const n = 100
	type answerer = func(*http.Request) (*http.Response, error)
	for _, row := range []struct {
		name      string
		answers   []answerer
		status    int
		refreshes int
		ended     int
	}{
		{"no fault", nil, 200, 1, 0},
		{"no answer once", []answerer{noAnswer}, 200, 2, 0},
		{"no answer twice: the original 401", []answerer{noAnswer, noAnswer}, 401, 2, 0},
		{"503 twice: the original 401", []answerer{answer(503, ""), answer(503, "")}, 401, 2, 0},
		{"429 with Retry-After: the original 401", []answerer{answer(429, "", "Retry-After", "60")}, 401, 1, 0},
		{"invalid_grant: the original 401", []answerer{answer(400, `{"error":"invalid_grant"}`)}, 401, 1, 1},
		{"invalid_client: the original 401", []answerer{answer(401, `{"error":"invalid_client"}`)}, 401, 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.refresh = answers(row.answers...)
				ended := 0
				rt := w.transport(t, func(cfg *authclient.Config) { cfg.OnLoginRequired = func(error) { ended++ } })
				time.Sleep(10 * time.Minute)
				w.revoke()
				// All 401s come at once, so that none is sent after a refresh has failed.
				var arrived sync.WaitGroup
				arrived.Add(n)
				w.api = func(r *http.Request) *http.Response {
					if r.Header.Get("Authorization") == "Bearer at-1" {
						arrived.Done()
						arrived.Wait()
					}
					return nil
				}

				statuses, errs := getConcurrently(rt, n)
				assert.Equal(t, repeat(error(nil), n), errs)
				assert.Equal(t, repeat(row.status, n), statuses)
				assert.Equal(t, row.refreshes, w.refreshed())
				assert.Equal(t, row.ended, ended)
			})
		})
	}
}

func TestOriginal401IsUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(answer(400, `{"error":"invalid_grant"}`))
		rt := w.transport(t)
		w.revoke()
		req, err := http.NewRequest(http.MethodGet, apiURL+"/identity", nil)
		require.NoError(t, err)
		resp, err := rt.RoundTrip(req)
		require.NoError(t, err)
		body := make([]byte, 8)
		_, err = resp.Body.Read(body)
		require.NoError(t, err)
		assert.Equal(t, "rejected", string(body))
		assert.Equal(t, []string{invalidToken}, resp.Header["Www-Authenticate"])
		assert.Same(t, req, resp.Request)
		assert.Empty(t, req.Header, "the caller's request is not changed")
	})
}

func TestRequestsFailFastUntilSetToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(answer(400, `{"error":"invalid_grant","error_description":"revoked"}`))
		ended := 0
		rt := w.transport(t, func(cfg *authclient.Config) { cfg.OnLoginRequired = func(error) { ended++ } })
		time.Sleep(2 * time.Hour)
		for range 10 {
			_, err := tryGet(t.Context(), rt)
			require.ErrorIs(t, err, authclient.ErrLoginRequired)
			var answer *oauth2.RetrieveError
			require.ErrorAs(t, err, &answer)
			assert.Equal(t, "invalid_grant", answer.ErrorCode)
			_, err = rt.Token()
			require.ErrorIs(t, err, authclient.ErrLoginRequired)
			_, err = rt.Refresh(t.Context())
			require.ErrorIs(t, err, authclient.ErrLoginRequired)
			time.Sleep(time.Hour)
		}
		assert.Equal(t, 1, w.refreshed())
		assert.Equal(t, 1, ended)
		assert.Zero(t, w.called())

		require.NoError(t, rt.SetToken(t.Context(), w.login()))
		assert.Equal(t, 200, get(t, rt))
		time.Sleep(2 * time.Hour)
		assert.Equal(t, 200, get(t, rt), "refreshes work again")
		assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
	})
}

// A refresh continues when the caller that started it cancels, and serves the others.
func TestCallerCancels(t *testing.T) {
	for _, row := range []struct {
		name     string
		rejected bool // by the API; otherwise the token has expired
	}{{"before the request was sent", false}, {"after a 401", true}} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.refresh = func(_ int, r *http.Request, form url.Values) (*http.Response, error) {
					time.Sleep(3 * time.Second)
					if err := r.Context().Err(); err != nil {
						return nil, err
					}
					return nil, nil
				}
				rt := w.transport(t)
				if row.rejected {
					w.revoke()
				} else {
					time.Sleep(time.Hour)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				_, err := tryGet(ctx, rt) // starts the refresh
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Second, time.Since(begin), "it waits as long as its own context")

				assert.Equal(t, 200, get(t, rt), "another caller gets the result")
				assert.Equal(t, 3*time.Second, time.Since(begin))
				assert.Equal(t, 1, w.refreshed())
			})
		})
	}
}

func TestAPIThatRejectsEveryToken(t *testing.T) {
	for _, row := range []struct {
		name string
		body bool // one that cannot be sent twice
	}{{"retryable request", false}, {"request that cannot be retried", true}} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.api = func(r *http.Request) *http.Response {
					return response(401, "", "WWW-Authenticate", invalidToken)
				}
				rt := w.transport(t)
				for range 200 {
					status, err := do(t.Context(), rt, http.MethodPost, apiURL+"/orders", onceIf(row.body))
					require.NoError(t, err)
					assert.Equal(t, 401, status)
					time.Sleep(time.Second)
				}
				assert.Equal(t, 1, w.refreshed(), "one refresh for the first token, none for the second")

				time.Sleep(time.Hour) // the second token expires
				for range 100 {
					_, err := do(t.Context(), rt, http.MethodPost, apiURL+"/orders", onceIf(row.body))
					require.NoError(t, err)
				}
				assert.Equal(t, 3, w.refreshed(), "one refresh at expiry, and one for its token")
			})
		})
	}
}

// One path of the API rejects every token and another accepts them. That must not cause a refresh for each request
// either.
func TestPathThatRejectsEveryToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.api = func(r *http.Request) *http.Response {
			if r.URL.Path == "/broken" {
				return response(401, "", "WWW-Authenticate", invalidToken)
			}
			return nil
		}
		rt := w.transport(t)
		for range 50 {
			require.Equal(t, 200, get(t, rt))
			status, err := do(t.Context(), rt, http.MethodGet, apiURL+"/broken", nil)
			require.NoError(t, err)
			require.Equal(t, 401, status)
		}
		assert.Equal(t, 1, w.refreshed())
	})
}

// Callers that cancel before their retry must not cause a refresh each.
func TestAPIThatRejectsEveryTokenAndCallersCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.api = func(*http.Request) *http.Response { return response(401, "", "WWW-Authenticate", invalidToken) }
		w.refresh = func(int, *http.Request, url.Values) (*http.Response, error) {
			time.Sleep(2 * time.Second)
			return nil, nil
		}
		rt := w.transport(t)
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			status, err := tryGet(ctx, rt)
			if i == 0 {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			} else {
				require.NoError(t, err)
				require.Equal(t, 401, status)
			}
			cancel()
			time.Sleep(5 * time.Second)
		}
		assert.Equal(t, 1, w.refreshed())
	})
}

func TestRevokedTokenIsReplacedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		rt := w.transport(t)
		for i := range 5 {
			require.Equal(t, 200, get(t, rt))
			require.Equal(t, i, w.refreshed())
			w.revoke()
		}
	})
}

// A wrong clock may cost an extra refresh, but no request fails: lifetimes are counted on one clock.
func TestWrongClock(t *testing.T) {
	for _, row := range []struct {
		name      string
		wrong     func(elapsed time.Duration) time.Duration // the error of the clock, by the time since the login
		refreshes int                                       // in two hours, with tokens that live for an hour
	}{
		{"right", func(time.Duration) time.Duration { return 0 }, 2},
		{"10 min fast, the expiry of the first token is absolute", func(time.Duration) time.Duration { return 10 * time.Minute }, 3},
		{"10 min slow, the expiry of the first token is absolute", func(time.Duration) time.Duration { return -10 * time.Minute }, 2},
		{"jumps 10 min ahead", func(e time.Duration) time.Duration {
			if e > 30*time.Minute {
				return 10 * time.Minute
			}
			return 0
		}, 3},
		{"jumps 10 min back", func(e time.Duration) time.Duration {
			if e > 30*time.Minute {
				return -10 * time.Minute
			}
			return 0
		}, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				begin := time.Now()
				rt := w.transport(t, func(cfg *authclient.Config) {
					cfg.Now = func() time.Time { return time.Now().Add(row.wrong(time.Since(begin))) }
				})
				for time.Since(begin) < 2*time.Hour+time.Minute {
					require.Equal(t, 200, get(t, rt))
					time.Sleep(7 * time.Second)
				}
				assert.LessOrEqual(t, w.refreshed(), row.refreshes)
				assert.Positive(t, w.refreshed())
			})
		})
	}
}

func TestPauseBetweenFailedRefreshes(t *testing.T) {
	for _, row := range []struct {
		name    string
		answer  func(*http.Request) (*http.Response, error)
		starts  []time.Duration // of refreshes in the first five minutes, with a call each second
		perTurn int             // requests in each refresh
	}{
		{"no answer", noAnswer, seconds(0, 2, 5, 10, 19, 36, 69, 130, 191, 252), 2},
		{"Retry-After longer than the pause", answer(503, "", "Retry-After", "100"), seconds(0, 100, 200), 1},
		{"Retry-After as a date, by the server's clock", answer(429, "",
			"Date", "Tue, 01 Jan 2030 00:00:00 GMT", "Retry-After", "Tue, 01 Jan 2030 00:02:00 GMT"), seconds(0, 120, 240), 1},
		{"client rejected", answer(401, `{"error":"invalid_client"}`), seconds(0, 60, 120, 180, 240), 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.refresh = func(_ int, r *http.Request, _ url.Values) (*http.Response, error) { return row.answer(r) }
				rt := w.transport(t)
				time.Sleep(time.Hour)
				begin := time.Now()
				for now := range 300 {
					time.Sleep(time.Until(begin.Add(time.Duration(now) * time.Second)))
					_, err := tryGet(t.Context(), rt)
					require.ErrorIs(t, err, authclient.ErrRefreshFailed)
				}
				var starts []time.Duration
				for i := 0; i < len(w.refreshes); i += row.perTurn {
					starts = append(starts, w.refreshes[i].Sub(begin))
				}
				assert.Equal(t, row.starts, starts)
			})
		})
	}
}

func TestSetTokenEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(answer(503, "", "Retry-After", "3600"))
		rt := w.transport(t)
		_, err := rt.Refresh(t.Context())
		require.ErrorIs(t, err, authclient.ErrRefreshFailed)
		_, err = rt.Refresh(t.Context())
		require.ErrorIs(t, err, authclient.ErrRefreshFailed)
		require.Equal(t, 1, w.refreshed())
		require.NoError(t, rt.SetToken(t.Context(), w.login()))
		_, err = rt.Refresh(t.Context())
		require.NoError(t, err)
	})
}

func TestSuccessResetsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(noAnswer, noAnswer, noAnswer, noAnswer, nil, noAnswer, noAnswer)
		rt := w.transport(t)
		for _, pause := range []time.Duration{time.Second, 2 * time.Second} {
			_, err := rt.Refresh(t.Context())
			require.ErrorIs(t, err, authclient.ErrRefreshFailed)
			time.Sleep(pause)
		}
		_, err := rt.Refresh(t.Context())
		require.NoError(t, err)
		_, err = rt.Refresh(t.Context())
		require.ErrorIs(t, err, authclient.ErrRefreshFailed)
		time.Sleep(time.Second)
		_, err = rt.Refresh(t.Context())
		require.NoError(t, err)
	})
}

func seconds(all ...int) []time.Duration {
	var ds []time.Duration
	for _, s := range all {
		ds = append(ds, time.Duration(s)*time.Second)
	}
	return ds
}
