package revocation_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/revocation"
)

// gaps are the times between requests.
func gaps(all []asked) (list []time.Duration) {
	for i := 1; i < len(all); i++ {
		list = append(list, all[i].at.Sub(all[i-1].at))
	}
	return list
}

func TestPollsComeEveryIntervalWithJitter(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		defer w.run()()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		all := gaps(w.feed.asked())
		assert.GreaterOrEqual(t, len(all), 119)
		assert.LessOrEqual(t, len(all), 151)
		different := map[time.Duration]bool{}
		for _, gap := range all {
			assert.GreaterOrEqual(t, gap, 4*time.Second)
			assert.LessOrEqual(t, gap, 5*time.Second)
			different[gap] = true
		}
		assert.Greater(t, len(different), len(all)/2)
		assert.Equal(t, []string{revocation.Fresh}, w.kinds())
	})
}

// Interval is counted from the beginning of one poll to that of the next.
func TestASlowServerIsAskedAsOften(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.HTTPClient = &http.Client{Transport: inProcess{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.feed.ServeHTTP(rw, r)
			select {
			case <-r.Context().Done():
			case <-time.After(3 * time.Second):
			}
		})}}
		defer w.run()()
		time.Sleep(5 * time.Minute)
		all := gaps(w.feed.asked())
		require.NotEmpty(t, all)
		for _, gap := range all {
			assert.GreaterOrEqual(t, gap, 4*time.Second)
			assert.LessOrEqual(t, gap, 5*time.Second)
		}
	})
}

// The first walk has no cursor and follows all pages at once; later polls go on from there.
func TestPagesAndCursors(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 950 {
			w.feed.revoke(time.Hour, fmt.Sprint("s", i))
		}
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		assert.Equal(t, 950, w.list.Status().Entries)
		all := w.feed.asked()
		require.Len(t, all, 10)
		assert.Empty(t, all[0].since)
		assert.Equal(t, cursor+"900", all[9].since)
		assert.Equal(t, all[0].at, all[9].at, "at once")
		w.feed.revoke(time.Hour, "new")
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		all = w.feed.asked()
		require.Len(t, all, 1)
		assert.Equal(t, cursor+"948", all[0].since)
		assert.ErrorIs(t, w.check("new.1"), revocation.ErrRevoked)
		assert.Equal(t, 951, w.list.Status().Entries, "what comes again is not counted again")
	})
}

// An outage in the middle of the first walk: what was read counts, Ready waits for the rest.
func TestAWalkThatBreaksOffGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 300 {
			w.feed.revoke(time.Hour, fmt.Sprint("s", i))
		}
		w.cfg.HTTPClient = &http.Client{Transport: inProcess{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("since") == cursor+"200" && w.list.Status().Failures == 0 {
				rw.WriteHeader(502)
				return
			}
			w.feed.ServeHTTP(rw, r)
		})}}
		defer w.run()()
		synctest.Wait()
		assert.ErrorIs(t, w.check("s0.1"), revocation.ErrRevoked)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, w.list.Ready(ctx), revocation.ErrStale)
		require.NoError(t, w.list.Ready(t.Context()))
		assert.ErrorIs(t, w.check("s299.1"), revocation.ErrRevoked)
		all := w.feed.asked()
		require.Len(t, all, 3)
		assert.Equal(t, cursor+"200", all[2].since)
	})
}

// One poll reads a bounded number of pages, whatever the server says, and a cursor that stands still is a failure.
func TestAFeedWithoutEnd(t *testing.T) {
	for _, row := range []struct {
		name   string
		cursor func(n int) string
		most   int
		told   []string
	}{
		{"the cursor goes on", func(n int) string { return fmt.Sprint(n) }, 1000, nil},
		{"the cursor stands still", func(int) string { return "same" }, 2, []string{revocation.Failing}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				n := 0
				w.feed.set(func(rw http.ResponseWriter, _ *http.Request) {
					n++
					rw.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(rw, `{"revoked":[],"cursor":%q,"more":true}`, row.cursor(n))
				})
				defer w.run()()
				synctest.Wait()
				assert.Len(t, w.feed.asked(), row.most)
				assert.ErrorIs(t, w.check("s.1"), revocation.ErrStale)
				assert.Equal(t, row.told, w.kinds())
			})
		})
	}
}

func TestACursorThatIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.feed.revoke(time.Hour, "a", "b", "c", "d")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		w.feed.asked()
		w.feed.forget() // the cursor is now beyond the end
		w.feed.revoke(time.Hour, "new")
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		all := w.feed.asked()
		require.Len(t, all, 2)
		assert.Equal(t, cursor+"2", all[0].since)
		assert.Empty(t, all[1].since, "everything again, at once")
		for _, id := range []string{"a", "b", "c", "d", "new"} {
			assert.ErrorIs(t, w.check(id+".1"), revocation.ErrRevoked)
		}
		assert.Equal(t, []string{revocation.Fresh}, w.kinds())
		w.feed.set(status(400))
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.Len(t, w.feed.asked(), 2, "not more than once in a poll")
		assert.Equal(t, []string{revocation.Failing}, w.kinds())
	})
}

func TestAnOutage(t *testing.T) {
	for _, row := range []struct {
		when  revocation.WhenStale
		other error
	}{{revocation.Refuse, revocation.ErrStale}, {revocation.Accept, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.WhenStale = row.when
				w.feed.revoke(time.Hour, "family")
				defer w.run()()
				require.NoError(t, w.list.Ready(t.Context()))
				assert.Equal(t, []string{revocation.Fresh}, w.kinds())
				w.feed.asked()
				w.feed.set(status(503))

				time.Sleep(w.cfg.MaxAge - time.Second)
				assert.NoError(t, w.check("other.1"), "as good as before until MaxAge")
				assert.Equal(t, []string{revocation.Failing}, w.kinds())
				all := gaps(w.feed.asked())
				assert.GreaterOrEqual(t, len(all), 3, "several attempts before it is stale")
				time.Sleep(2 * time.Second)
				assert.ErrorIs(t, w.check("other.1"), row.other)
				assert.ErrorIs(t, w.check("family.1"), revocation.ErrRevoked)
				assert.Equal(t, []string{revocation.Stale}, w.kinds())
				time.Sleep(time.Hour / 2)
				assert.Empty(t, w.kinds(), "told once")
				for _, gap := range gaps(w.feed.asked()) {
					assert.GreaterOrEqual(t, gap, 7500*time.Millisecond)
					assert.LessOrEqual(t, gap, 15*time.Second)
				}
				assert.NoError(t, w.list.Ready(t.Context()))

				w.feed.set(nil)
				time.Sleep(15 * time.Second)
				assert.Equal(t, []string{revocation.Fresh}, w.kinds())
				assert.NoError(t, w.check("other.1"), "without a restart")
				assert.Zero(t, w.list.Status().Failures)
				assert.NoError(t, w.list.Status().LastError)
			})
		})
	}
}

// It is stale at the moment, not when the next poll comes.
func TestStaleToTheMoment(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		w.feed.set(status(500))
		tok := w.token("other.1")
		for w.list.Check(t.Context(), tok) == nil {
			time.Sleep(time.Millisecond)
		}
		age := w.list.Status().Age
		assert.Greater(t, age, w.cfg.MaxAge)
		assert.LessOrEqual(t, age, w.cfg.MaxAge+time.Millisecond)
		assert.Equal(t, []string{revocation.Fresh, revocation.Failing, revocation.Stale}, w.kinds())
	})
}

// A list that nobody runs any more goes stale like any other.
func TestAfterRun(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		stop := w.run()
		require.NoError(t, w.list.Ready(t.Context()))
		stop()
		time.Sleep(w.cfg.MaxAge)
		assert.NoError(t, w.check("other.1"))
		time.Sleep(time.Millisecond)
		assert.ErrorIs(t, w.check("other.1"), revocation.ErrStale)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, w.list.Run(ctx), context.DeadlineExceeded, "it can be run again")
		assert.NoError(t, w.check("other.1"))
	})
}

func TestRetryAfter(t *testing.T) {
	for _, row := range []struct {
		name        string
		value       string
		least, most time.Duration
	}{
		{"longer than the pause", "20", 20 * time.Second, 22 * time.Second},
		{"a date", "Sat, 01 Jan 2000 00:00:20 GMT", 19 * time.Second, 22 * time.Second},
		{"shorter than the pause", "1", 2500 * time.Millisecond, 5 * time.Second},
		{"longer than half of MaxAge", "86400", 30 * time.Second, 30 * time.Second},
		{"a date that is no time.Duration away", "Fri, 31 Dec 9999 23:59:59 GMT", 30 * time.Second, 30 * time.Second},
		{"absurdly long", "99999999999999999999", 2500 * time.Millisecond, 5 * time.Second},
		{"the longest that counts", "2147483647", 30 * time.Second, 30 * time.Second},
		{"negative", "-5", 2500 * time.Millisecond, 5 * time.Second},
		{"not a time", "soon", 2500 * time.Millisecond, 5 * time.Second},
		{"a date that has passed", "Fri, 31 Dec 1999 00:00:00 GMT", 2500 * time.Millisecond, 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) { // which begins at the beginning of the year 2000
				w.feed.set(func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Retry-After", row.value)
					rw.WriteHeader(503)
				})
				defer w.run()()
				time.Sleep(35 * time.Second)
				synctest.Wait()
				all := gaps(w.feed.asked())
				require.NotEmpty(t, all)
				assert.GreaterOrEqual(t, all[0], row.least)
				assert.LessOrEqual(t, all[0], row.most)
			})
		})
	}
}

// One request at a time, each bounded in time.
func TestAServerThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		most := 0
		w.feed.set(func(_ http.ResponseWriter, r *http.Request) {
			w.feed.mu.Lock()
			most = max(most, w.feed.busy)
			w.feed.mu.Unlock()
			<-r.Context().Done()
		})
		stop := w.run()
		time.Sleep(6 * time.Second)
		assert.ErrorContains(t, w.list.Status().LastError, "no answer within 5s")
		time.Sleep(10 * time.Minute)
		stop() // also in the middle of a request
		assert.Equal(t, []string{revocation.Failing, revocation.Stale}, w.kinds())
		w.feed.mu.Lock()
		defer w.feed.mu.Unlock()
		assert.Equal(t, 1, most)
	})
}

// With more entries than fit the list is as good as stale, until all fit again.
func TestOverflow(t *testing.T) {
	for _, row := range []struct {
		when revocation.WhenStale
		want error
	}{{revocation.Refuse, revocation.ErrStale}, {revocation.Accept, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.WhenStale, w.cfg.MaxEntries = row.when, 3
				w.feed.revoke(2*time.Minute, "a")
				w.feed.revoke(10*time.Minute, "b")
				defer w.run()()
				require.NoError(t, w.list.Ready(t.Context()))
				w.feed.revoke(time.Hour, "c", "d")
				time.Sleep(w.cfg.Interval)
				assert.Equal(t, []string{revocation.Fresh, revocation.Overflow}, w.kinds())
				assert.Equal(t, 3, w.list.Status().Entries)
				assert.True(t, w.list.Status().Stale)
				assert.ErrorIs(t, w.check("other.1"), row.want)
				assert.ErrorIs(t, w.check("c.1"), revocation.ErrRevoked, "what is known is known")
				assert.ErrorIs(t, w.check("d.1"), row.want, "what did not fit is not")
				assert.NoError(t, w.list.Ready(t.Context()))

				w.feed.asked()
				time.Sleep(time.Minute + 45*time.Second)
				synctest.Wait()
				assert.Empty(t, w.feed.asked(), "it can't fit before something has ended")
				time.Sleep(2 * time.Minute)
				assert.Equal(t, []string{revocation.Fresh}, w.kinds())
				assert.ErrorIs(t, w.check("d.1"), revocation.ErrRevoked)
				assert.NoError(t, w.check("other.1"))
				all := w.feed.asked()
				require.NotEmpty(t, all)
				assert.Empty(t, all[0].since, "from the beginning")
			})
		})
	}
}

// A list that does not fit when the API starts is no more complete later. With Refuse no token would be accepted, so that the API
// is not ready; with Accept it can serve as well as it ever will.
func TestOverflowAtTheStart(t *testing.T) {
	for _, row := range []struct {
		when  revocation.WhenStale
		ready bool
		want  error
	}{{revocation.Refuse, false, revocation.ErrStale}, {revocation.Accept, true, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.MaxEntries, w.cfg.WhenStale = 2, row.when
				w.feed.set(status(500))
				defer w.run()()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				assert.ErrorContains(t, w.list.Ready(short), "status 500", "nothing is known yet")
				w.feed.revoke(time.Hour, "a", "b", "c")
				w.feed.set(nil)
				err := w.list.Ready(ctx)
				if row.ready {
					assert.NoError(t, err)
				} else {
					assert.ErrorContains(t, err, "more entries than MaxEntries")
				}
				assert.Equal(t, !row.ready, ctx.Err() != nil, "it is ready at once or not at all")
				assert.ErrorIs(t, w.check("a.1"), revocation.ErrRevoked)
				assert.ErrorIs(t, w.check("c.1"), row.want)
				synctest.Wait()
				assert.Equal(t, []string{revocation.Failing, revocation.Overflow}, w.kinds())
				s := w.list.Status()
				assert.True(t, s.Stale && s.Overflow)
				assert.Equal(t, 2, s.Entries)

				time.Sleep(time.Hour + 2*w.cfg.MaxAge) // until they have ended, and the feed was asked again
				synctest.Wait()
				assert.NoError(t, w.list.Ready(t.Context()))
				s = w.list.Status()
				assert.False(t, s.Stale || s.Overflow)
			})
		})
	}
}

// endless is a body that goes on for ever and counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(e), Request: r}, nil
}

func TestAnAnswerWithoutEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		body := &endless{}
		w.cfg.HTTPClient = &http.Client{Transport: body}
		stop := w.run()
		synctest.Wait()
		assert.ErrorContains(t, w.list.Status().LastError, "more than 1048576 bytes")
		stop()
		assert.Less(t, body.read, 2<<20)
	})
}

// An answer that is not one counts as none, and changes nothing.
func TestBadAnswers(t *testing.T) {
	const page = `{"revoked":[{"id":"family","exp":4102444800}],"cursor":"x"}`
	answer := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"401", status(401), "status 401: the client may not read the feed"},
		{"403", status(403), "status 403: the client may not read the feed"},
		{"404", status(404), "status 404"},
		{"429", status(429), "status 429"},
		{"500", status(500), "status 500"},
		{"204", status(204), "status 204"},
		{"an HTML page", answer("text/html", page), "not application/json"},
		{"no media type", answer("", page), "not application/json"},
		{"more than a MiB", answer("application/json", strings.Repeat(" ", 1<<20)+page), "more than 1048576 bytes"},
		{"cut off", answer("application/json", page[:20]), "can't be read"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test/revoked", http.StatusTemporaryRedirect)
		}, "status 307: a redirect is not followed with credentials"},
		{"a redirect to itself", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/revoked?x", http.StatusFound)
		}, "status 302: a redirect is not followed with credentials"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.feed.set(row.answer)
				defer w.run()()
				synctest.Wait()
				assert.ErrorContains(t, w.list.Status().LastError, row.says)
				assert.Len(t, w.feed.asked(), 1)
				assert.Zero(t, w.list.Status().Entries)
				assert.Equal(t, []string{revocation.Failing}, w.kinds())
			})
		})
	}
}
