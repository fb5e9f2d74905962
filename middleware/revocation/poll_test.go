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

// gaps returns the times between requests.
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
		all := gaps(w.server.asked())
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

// Interval counts from the start of one poll to the start of the next.
func TestSlowServerIsPolledAsOften(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.HTTPClient = &http.Client{Transport: inProcess{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.server.ServeHTTP(rw, r)
			select {
			case <-r.Context().Done():
			case <-time.After(3 * time.Second):
			}
		})}}
		defer w.run()()
		time.Sleep(5 * time.Minute)
		all := gaps(w.server.asked())
		require.NotEmpty(t, all)
		for _, gap := range all {
			assert.GreaterOrEqual(t, gap, 4*time.Second)
			assert.LessOrEqual(t, gap, 5*time.Second)
		}
	})
}

// The first poll has no cursor and reads all pages at once. Later polls continue from there.
func TestPagesAndCursors(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 950 {
			w.server.revoke(time.Hour, fmt.Sprint("s", i))
		}
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		assert.Equal(t, 950, w.list.Status().Entries)
		all := w.server.asked()
		require.Len(t, all, 10)
		assert.Empty(t, all[0].since)
		assert.Equal(t, cursor+"900", all[9].since)
		assert.Equal(t, all[0].at, all[9].at, "at once")
		w.server.revoke(time.Hour, "new")
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		all = w.server.asked()
		require.Len(t, all, 1)
		assert.Equal(t, cursor+"948", all[0].since)
		assert.ErrorIs(t, w.check("new.1"), revocation.ErrRevoked)
		assert.Equal(t, 951, w.list.Status().Entries, "a repeated entry is not counted again")
	})
}

// After an outage in the middle of the first poll, what was read counts, and Ready waits for the rest.
func TestInterruptedPollContinues(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 300 {
			w.server.revoke(time.Hour, fmt.Sprint("s", i))
		}
		w.cfg.HTTPClient = &http.Client{Transport: inProcess{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("since") == cursor+"200" && w.list.Status().Failures == 0 {
				rw.WriteHeader(502)
				return
			}
			w.server.ServeHTTP(rw, r)
		})}}
		defer w.run()()
		synctest.Wait()
		assert.ErrorIs(t, w.check("s0.1"), revocation.ErrRevoked)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, w.list.Ready(ctx), revocation.ErrStale)
		require.NoError(t, w.list.Ready(t.Context()))
		assert.ErrorIs(t, w.check("s299.1"), revocation.ErrRevoked)
		all := w.server.asked()
		require.Len(t, all, 3)
		assert.Equal(t, cursor+"200", all[2].since)
	})
}

// One poll reads a bounded number of pages, whatever the server says. A cursor that does not change is a failure.
func TestEndlessPages(t *testing.T) {
	for _, row := range []struct {
		name   string
		cursor func(n int) string
		most   int
		events []string
	}{
		{"the cursor changes", func(n int) string { return fmt.Sprint(n) }, 1000, nil},
		{"the cursor stays the same", func(int) string { return "same" }, 2, []string{revocation.Failing}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				n := 0
				w.server.set(func(rw http.ResponseWriter, _ *http.Request) {
					n++
					rw.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(rw, `{"revoked":[],"cursor":%q,"more":true}`, row.cursor(n))
				})
				defer w.run()()
				synctest.Wait()
				assert.Len(t, w.server.asked(), row.most)
				assert.ErrorIs(t, w.check("s.1"), revocation.ErrStale)
				assert.Equal(t, row.events, w.kinds())
			})
		})
	}
}

func TestRejectedCursor(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.server.revoke(time.Hour, "a", "b", "c", "d")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		w.server.asked()
		w.server.forget() // the cursor is now beyond the end
		w.server.revoke(time.Hour, "new")
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		all := w.server.asked()
		require.Len(t, all, 2)
		assert.Equal(t, cursor+"2", all[0].since)
		assert.Empty(t, all[1].since, "everything is read again at once")
		for _, id := range []string{"a", "b", "c", "d", "new"} {
			assert.ErrorIs(t, w.check(id+".1"), revocation.ErrRevoked)
		}
		assert.Equal(t, []string{revocation.Fresh}, w.kinds())
		w.server.set(status(400))
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.Len(t, w.server.asked(), 2, "at most one restart in a poll")
		assert.Equal(t, []string{revocation.Failing}, w.kinds())
	})
}

func TestOutage(t *testing.T) {
	for _, row := range []struct {
		when  revocation.WhenStale
		other error
	}{{revocation.Reject, revocation.ErrStale}, {revocation.Accept, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.WhenStale = row.when
				w.server.revoke(time.Hour, "grant")
				defer w.run()()
				require.NoError(t, w.list.Ready(t.Context()))
				assert.Equal(t, []string{revocation.Fresh}, w.kinds())
				w.server.asked()
				w.server.set(status(503))

				time.Sleep(w.cfg.MaxAge - time.Second)
				assert.NoError(t, w.check("other.1"), "not stale before MaxAge")
				assert.Equal(t, []string{revocation.Failing}, w.kinds())
				all := gaps(w.server.asked())
				assert.GreaterOrEqual(t, len(all), 3, "several attempts before it is stale")
				time.Sleep(2 * time.Second)
				assert.ErrorIs(t, w.check("other.1"), row.other)
				assert.ErrorIs(t, w.check("grant.1"), revocation.ErrRevoked)
				assert.Equal(t, []string{revocation.Stale}, w.kinds())
				time.Sleep(time.Hour / 2)
				assert.Empty(t, w.kinds(), "reported once")
				for _, gap := range gaps(w.server.asked()) {
					assert.GreaterOrEqual(t, gap, 7500*time.Millisecond)
					assert.LessOrEqual(t, gap, 15*time.Second)
				}
				assert.NoError(t, w.list.Ready(t.Context()))

				w.server.set(nil)
				time.Sleep(15 * time.Second)
				assert.Equal(t, []string{revocation.Fresh}, w.kinds())
				assert.NoError(t, w.check("other.1"), "without a restart")
				assert.Zero(t, w.list.Status().Failures)
				assert.NoError(t, w.list.Status().LastError)
			})
		})
	}
}

// The list becomes stale exactly at MaxAge, not at the next poll.
func TestStaleExactlyAtMaxAge(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		w.server.set(status(500))
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

// A list becomes stale after Run has returned, and can be run again.
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
		{"a date farther away than a time.Duration", "Fri, 31 Dec 9999 23:59:59 GMT", 30 * time.Second, 30 * time.Second},
		{"absurdly long", "99999999999999999999", 2500 * time.Millisecond, 5 * time.Second},
		{"many seconds", "2147483647", 30 * time.Second, 30 * time.Second},
		{"negative", "-5", 2500 * time.Millisecond, 5 * time.Second},
		{"not a time", "soon", 2500 * time.Millisecond, 5 * time.Second},
		{"a date that has passed", "Fri, 31 Dec 1999 00:00:00 GMT", 2500 * time.Millisecond, 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) { // whose clock starts at 2000-01-01
				w.server.set(func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Retry-After", row.value)
					rw.WriteHeader(503)
				})
				defer w.run()()
				time.Sleep(35 * time.Second)
				synctest.Wait()
				all := gaps(w.server.asked())
				require.NotEmpty(t, all)
				assert.GreaterOrEqual(t, all[0], row.least)
				assert.LessOrEqual(t, all[0], row.most)
			})
		})
	}
}

// There is one request at a time, and each is bounded in time.
func TestHangingServer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		most := 0
		w.server.set(func(_ http.ResponseWriter, r *http.Request) {
			w.server.mu.Lock()
			most = max(most, w.server.busy)
			w.server.mu.Unlock()
			<-r.Context().Done()
		})
		stop := w.run()
		time.Sleep(6 * time.Second)
		assert.ErrorContains(t, w.list.Status().LastError, "no answer within 5s")
		time.Sleep(10 * time.Minute)
		stop() // also in the middle of a request
		assert.Equal(t, []string{revocation.Failing, revocation.Stale}, w.kinds())
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		assert.Equal(t, 1, most)
	})
}

// With more entries than MaxEntries the list is stale until all fit again.
func TestOverflow(t *testing.T) {
	for _, row := range []struct {
		when revocation.WhenStale
		want error
	}{{revocation.Reject, revocation.ErrStale}, {revocation.Accept, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.WhenStale, w.cfg.MaxEntries = row.when, 3
				w.server.revoke(2*time.Minute, "a")
				w.server.revoke(10*time.Minute, "b")
				defer w.run()()
				require.NoError(t, w.list.Ready(t.Context()))
				w.server.revoke(time.Hour, "c", "d")
				time.Sleep(w.cfg.Interval)
				assert.Equal(t, []string{revocation.Fresh, revocation.Overflow}, w.kinds())
				assert.Equal(t, 3, w.list.Status().Entries)
				assert.True(t, w.list.Status().Stale)
				assert.ErrorIs(t, w.check("other.1"), row.want)
				assert.ErrorIs(t, w.check("c.1"), revocation.ErrRevoked, "a known revocation holds")
				assert.ErrorIs(t, w.check("d.1"), row.want, "an entry that did not fit")
				assert.NoError(t, w.list.Ready(t.Context()))

				w.server.asked()
				time.Sleep(time.Minute + 45*time.Second)
				synctest.Wait()
				assert.Empty(t, w.server.asked(), "no request before an entry has expired")
				time.Sleep(2 * time.Minute)
				assert.Equal(t, []string{revocation.Fresh}, w.kinds())
				assert.ErrorIs(t, w.check("d.1"), revocation.ErrRevoked)
				assert.NoError(t, w.check("other.1"))
				all := w.server.asked()
				require.NotEmpty(t, all)
				assert.Empty(t, all[0].since, "everything is read again")
			})
		})
	}
}

// A list that does not fit at the start will not be more complete later. With Reject no token would be accepted, so the
// API is not ready. With Accept it can serve as well as it ever will.
func TestOverflowAtTheStart(t *testing.T) {
	for _, row := range []struct {
		when  revocation.WhenStale
		ready bool
		want  error
	}{{revocation.Reject, false, revocation.ErrStale}, {revocation.Accept, true, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.MaxEntries, w.cfg.WhenStale = 2, row.when
				w.server.set(status(500))
				defer w.run()()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				assert.ErrorContains(t, w.list.Ready(short), "status 500", "nothing was read yet")
				w.server.revoke(time.Hour, "a", "b", "c")
				w.server.set(nil)
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

				time.Sleep(time.Hour + 2*w.cfg.MaxAge) // until they have expired and the list was read again
				synctest.Wait()
				assert.NoError(t, w.list.Ready(t.Context()))
				s = w.list.Status()
				assert.False(t, s.Stale || s.Overflow)
			})
		})
	}
}

// endless is a body without an end. It counts what is read of it.
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

func TestEndlessAnswer(t *testing.T) {
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

// A bad answer is a failed poll and changes nothing.
func TestBadAnswers(t *testing.T) {
	const page = `{"revoked":[{"id":"grant","exp":4102444800}],"cursor":"x"}`
	answer := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"401", status(401), "status 401: the client may not read the list"},
		{"403", status(403), "status 403: the client may not read the list"},
		{"404", status(404), "status 404"},
		{"429", status(429), "status 429"},
		{"500", status(500), "status 500"},
		{"204", status(204), "status 204"},
		{"an HTML page", answer("text/html", page), "not application/json"},
		{"no media type", answer("", page), "not application/json"},
		{"more than a MiB", answer("application/json", strings.Repeat(" ", 1<<20)+page), "more than 1048576 bytes"},
		{"truncated", answer("application/json", page[:20]), "can't be read"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test/revoked", http.StatusTemporaryRedirect)
		}, "status 307: a redirect is not followed with credentials"},
		{"a redirect to itself", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/revoked?x", http.StatusFound)
		}, "status 302: a redirect is not followed with credentials"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.server.set(row.answer)
				defer w.run()()
				synctest.Wait()
				assert.ErrorContains(t, w.list.Status().LastError, row.want)
				assert.Len(t, w.server.asked(), 1)
				assert.Zero(t, w.list.Status().Entries)
				assert.Equal(t, []string{revocation.Failing}, w.kinds())
			})
		})
	}
}
