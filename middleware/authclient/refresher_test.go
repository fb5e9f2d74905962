package authclient_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

func TestMargin(t *testing.T) {
	for _, row := range []struct {
		name     string
		lifetime time.Duration
		mod      func(*authclient.Config)
		margin   time.Duration
	}{
		{"an hour", time.Hour, nil, 10 * time.Second},
		{"50 s", 50 * time.Second, nil, 10 * time.Second},
		{"20 s", 20 * time.Second, nil, 4 * time.Second},
		{"5 s, shorter than the margin", 5 * time.Second, nil, time.Second},
		{"a larger margin", time.Hour, func(c *authclient.Config) { c.Margin = time.Minute }, time.Minute},
		{"none", time.Hour, func(c *authclient.Config) { c.Margin = 0 }, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.lifetime = row.lifetime
				var mods []func(*authclient.Config)
				if row.mod != nil {
					mods = append(mods, row.mod)
				}
				rt := w.transport(t, mods...)
				for i := range 3 { // the first token is from the login, the others are from a refresh
					time.Sleep(row.lifetime - row.margin*11/10 - time.Millisecond)
					require.Equal(t, 200, get(t, rt))
					require.Equal(t, i, w.refreshed(), "no refresh before the margin and its jitter")
					time.Sleep(row.margin/10 + time.Millisecond)
					require.Equal(t, 200, get(t, rt))
					require.Equal(t, i+1, w.refreshed(), "refresh within the margin")
					require.Equal(t, 200, get(t, rt))
					require.Equal(t, i+1, w.refreshed(), "one refresh")
				}
			})
		})
	}
}

// A request waits for a hanging server for half of the time that is left of the token.
func TestHangingRefreshWithinTheMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
		rt := w.transport(t)
		time.Sleep(time.Hour - 8*time.Second)
		begin := time.Now()
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, 4*time.Second, time.Since(begin))
		assert.Equal(t, 200, get(t, rt), "the refresh continues, and its second attempt is answered")
		assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
		assert.Equal(t, 2, w.refreshed())
	})
}

func TestJitterSpreadsTheRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := make(map[time.Duration]bool)
		for range 20 {
			w := newWorld()
			rt := w.transport(t)
			time.Sleep(time.Hour - 11*time.Second)
			for w.refreshed() == 0 {
				require.Equal(t, 200, get(t, rt))
				time.Sleep(time.Millisecond)
			}
			at[w.refreshes[0].Sub(w.begin)] = true
		}
		assert.Greater(t, len(at), 10)
	})
}

func TestTokenOfUnknownLifetimeIsUsedUntilRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		token := w.login()
		token.Expiry, token.ExpiresIn = time.Time{}, 0
		rt, err := authclient.New(w.config(), token)
		require.NoError(t, err)
		w.acceptFor = 24 * time.Hour
		time.Sleep(24 * time.Hour)
		assert.Equal(t, 200, get(t, rt))
		assert.Zero(t, w.refreshed())
		time.Sleep(2 * time.Hour)
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, 1, w.refreshed())
	})
}

func TestTokenWithoutRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		token := w.login()
		token.RefreshToken = ""
		cfg := w.config()
		ended := 0
		cfg.OnLoginRequired = func(error) { ended++ }
		rt, err := authclient.New(cfg, token)
		require.NoError(t, err)
		time.Sleep(time.Hour - time.Millisecond)
		assert.Equal(t, 200, get(t, rt), "valid until it expires")
		w.revoke()
		assert.Equal(t, 401, get(t, rt), "the 401 is returned")
		status, err := do(t.Context(), rt, http.MethodPost, apiURL, onceIf(true))
		require.NoError(t, err)
		assert.Equal(t, 401, status)
		assert.Zero(t, ended)
		time.Sleep(time.Millisecond)
		for range 3 {
			_, err = tryGet(t.Context(), rt)
			assert.ErrorIs(t, err, authclient.ErrLoginRequired)
		}
		assert.Equal(t, 1, ended)
		assert.Zero(t, w.refreshed())
	})
}

// A request whose token was rejected uses a token that was refreshed meanwhile, without another refresh.
func TestNewerTokenIsUsedWithoutRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		rt := w.transport(t)
		w.api = func(r *http.Request) *http.Response {
			if r.URL.Path == "/slow" && r.Header.Get("Authorization") == "Bearer at-1" {
				time.Sleep(time.Minute)
			}
			return nil
		}
		w.revoke()
		var wg sync.WaitGroup
		wg.Go(func() {
			status, err := do(t.Context(), rt, http.MethodGet, apiURL+"/slow", nil)
			assert.NoError(t, err)
			assert.Equal(t, 200, status)
		})
		time.Sleep(time.Second)
		assert.Equal(t, 200, get(t, rt))
		wg.Wait()
		assert.Equal(t, []string{"at-1", "at-1", "at-2", "at-2"}, w.sent())
		assert.Equal(t, 1, w.refreshed())
	})
}

func TestRejectingOriginDoesNotAffectAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.api = func(r *http.Request) *http.Response {
			if r.URL.Host == "broken.example" {
				return response(401, "", "WWW-Authenticate", invalidToken)
			}
			return nil
		}
		rt := w.transport(t, func(c *authclient.Config) { c.Origins = append(c.Origins, "https://broken.example") })
		for range 5 {
			status, err := do(t.Context(), rt, http.MethodGet, "https://broken.example", nil)
			require.NoError(t, err)
			require.Equal(t, 401, status)
			require.Equal(t, 200, get(t, rt))
		}
		require.Equal(t, 1, w.refreshed())
		w.revoke()
		assert.Equal(t, 200, get(t, rt), "the tokens of the working origin are replaced")
		assert.Equal(t, 2, w.refreshed())
	})
}

// Two origins that reject every token must not cause refreshes in turn.
func TestTwoOriginsThatRejectEveryToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.api = func(*http.Request) *http.Response { return response(401, "", "WWW-Authenticate", invalidToken) }
		rt := w.transport(t, func(c *authclient.Config) { c.Origins = append(c.Origins, "https://other.example") })
		for range 20 {
			require.Equal(t, 401, get(t, rt))
			status, err := do(t.Context(), rt, http.MethodGet, "https://other.example", nil)
			require.NoError(t, err)
			require.Equal(t, 401, status)
		}
		assert.Equal(t, 2, w.refreshed(), "one refresh for each")
	})
}

// An origin that accepted the token that was fetched for it may cause another refresh, also after one for another
// origin.
func TestOriginThatAcceptedMayCauseRefreshAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		broken := ""
		w.api = func(r *http.Request) *http.Response {
			if r.Header.Get("Authorization") == "Bearer "+broken {
				return response(401, "", "WWW-Authenticate", invalidToken)
			}
			return nil
		}
		rt := w.transport(t, func(c *authclient.Config) { c.Origins = append(c.Origins, "https://other.example") })
		for i, call := range []string{apiURL, "https://other.example", apiURL} {
			broken = []string{"at-1", "at-2", "at-3"}[i]
			status, err := do(t.Context(), rt, http.MethodGet, call, nil)
			require.NoError(t, err)
			require.Equal(t, 200, status)
		}
		assert.Equal(t, 3, w.refreshed())
	})
}

// If a cached token is rejected like the one before it, a new token may still be accepted.
func TestReplacementWasRevokedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.api = func(r *http.Request) *http.Response {
			if r.URL.Path == "/slow" && r.Header.Get("Authorization") == "Bearer at-1" {
				time.Sleep(time.Minute)
				w.revoke()
			}
			return nil
		}
		rt := w.transport(t)
		time.Sleep(time.Hour - 30*time.Second)
		var wg sync.WaitGroup
		wg.Go(func() {
			status, err := do(t.Context(), rt, http.MethodGet, apiURL+"/slow", nil)
			assert.NoError(t, err)
			assert.Equal(t, 401, status, "one retry, not two")
		})
		time.Sleep(40 * time.Second)
		assert.Equal(t, 200, get(t, rt))
		wg.Wait()
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, []string{"at-1", "at-2", "at-2", "at-2", "at-3"}, w.sent())
	})
}

// If the authorization server returns the same access token until it expires, a refresh cannot help after a 401.
func TestRefreshReturnsSameToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = func(int, *http.Request, url.Values) (*http.Response, error) {
			return response(200, `{"access_token":"at-1","token_type":"Bearer","expires_in":3600}`), nil
		}
		w.api = func(r *http.Request) *http.Response {
			if r.URL.Path == "/content" {
				return response(200, "")
			}
			return nil
		}
		rt := w.transport(t)
		w.revoke()
		for range 5 {
			assert.Equal(t, 401, get(t, rt))
			status, err := do(t.Context(), rt, http.MethodGet, apiURL+"/content", nil)
			require.NoError(t, err)
			assert.Equal(t, 200, status)
		}
		assert.Equal(t, 1, w.refreshed())
		assert.Equal(t, 10, w.called(), "the same token is not sent twice")
	})
}

func TestSetTokenDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(func(*http.Request) (*http.Response, error) { time.Sleep(3 * time.Second); return nil, nil })
		store := authclient.NewMemoryStore()
		rt := w.transport(t, func(c *authclient.Config) {
			c.Store = store
			c.Save = func(context.Context, *oauth2.Token) error {
				assert.Fail(t, "the token of the old grant is not saved")
				return nil
			}
		})
		time.Sleep(time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() {
			token, err := rt.Token() // starts a refresh of the old grant
			assert.NoError(t, err)
			assert.Equal(t, "at-new", token.AccessToken)
		})
		time.Sleep(time.Second)
		require.NoError(t, rt.SetToken(t.Context(), &oauth2.Token{AccessToken: "at-new", RefreshToken: "rt-new"}))
		wg.Wait()
		stored, err := store.Load(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "at-new", stored.AccessToken)
		assert.Equal(t, "at-new", rt.Current().AccessToken)
	})
}

func TestSetTokenRejectsInvalidToken(t *testing.T) {
	rt := newWorld().transport(t)
	assert.Error(t, rt.SetToken(t.Context(), nil))
	assert.Error(t, rt.SetToken(t.Context(), &oauth2.Token{}))
	assert.Equal(t, "at-1", rt.Current().AccessToken)
}

func TestOnLoginRequiredMayCallSetToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(answer(400, `{"error":"invalid_grant"}`))
		var rt *authclient.Transport
		rt = w.transport(t, func(c *authclient.Config) {
			c.OnLoginRequired = func(error) {
				_, err := rt.Token()
				assert.ErrorIs(t, err, authclient.ErrLoginRequired)
				assert.NoError(t, rt.SetToken(t.Context(), w.login()))
			}
		})
		time.Sleep(time.Hour)
		_, err := tryGet(t.Context(), rt)
		assert.ErrorIs(t, err, authclient.ErrLoginRequired, "the waiting request fails")
		assert.Equal(t, 200, get(t, rt), "the next request succeeds")
	})
}

func TestReturnedTokensAreCopies(t *testing.T) {
	w := newWorld()
	rt := w.transport(t)
	token, err := rt.Token()
	require.NoError(t, err)
	token.AccessToken = "changed"
	rt.Current().AccessToken = "changed"
	assert.Equal(t, 200, get(t, rt))
}

func TestTransportIsATokenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var source oauth2.TokenSource = w.transport(t)
		for _, want := range []string{"at-1", "at-2"} {
			token, err := source.Token()
			require.NoError(t, err)
			assert.Equal(t, want, token.AccessToken)
			time.Sleep(time.Hour)
		}
	})
}

// Concurrent calls of all methods, for the race detector.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.lifetime = time.Minute
		rt := w.transport(t)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 100 {
					switch (i + j) % 8 {
					case 0:
						w.revoke()
					case 1:
						_, _ = rt.Refresh(t.Context())
					case 2:
						_ = rt.Current()
					case 3:
						_, _ = rt.Token()
					case 4:
						ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
						_, _ = tryGet(ctx, rt)
						cancel()
					default:
						_, err := tryGet(t.Context(), rt)
						assert.NoError(t, err)
					}
					time.Sleep(time.Duration(i+1) * time.Second)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 200, get(t, rt))
	})
}

type idler struct {
	http.RoundTripper
	closed int
}

func (i *idler) CloseIdleConnections() { i.closed++ }

func TestCloseIdleConnections(t *testing.T) {
	base := &idler{RoundTripper: newWorld()}
	rt := newWorld().transport(t, func(c *authclient.Config) { c.Base = base })
	(&http.Client{Transport: rt}).CloseIdleConnections()
	assert.Equal(t, 1, base.closed)
	newWorld().transport(t).CloseIdleConnections() // a Base without the method
}

func TestErrorOfTheBaseIsReturned(t *testing.T) {
	w := newWorld()
	broken := errors.New("no route to host")
	n := 0
	rt := w.transport(t, func(c *authclient.Config) {
		c.TokenTransport = w
		c.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return w.RoundTrip(r)
			}
			return nil, broken
		})
	})
	w.revoke()
	_, err := tryGet(t.Context(), rt)
	assert.ErrorIs(t, err, broken, "error of the retry")
	_, err = tryGet(t.Context(), rt)
	assert.ErrorIs(t, err, broken, "error of the first request")
}
