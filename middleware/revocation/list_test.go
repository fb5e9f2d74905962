package revocation_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/revocation"
)

func TestCheck(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.server.revoke(time.Hour, "grant", "whole.jti", "x")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		for _, row := range []struct {
			name string
			jti  string
			want error
		}{
			{"another grant", "other.1", nil},
			{"the grant", "grant.1.ABC", revocation.ErrRevoked},
			{"the grant id alone", "grant", revocation.ErrRevoked},
			{"the grant id and a dot", "grant.", revocation.ErrRevoked},
			{"a token that is listed itself", "whole.jti", revocation.ErrRevoked},
			{"another jti with the same first part", "whole.other", nil},
			{"a longer id with the grant id as its prefix", "grant2.1", nil},
			{"a prefix of the grant id", "fam.1", nil},
			{"the grant id in another case", "Family.1", nil},
			{"the grant id after a dot", ".grant", nil},
			{"a grant id of one byte", "x.y", revocation.ErrRevoked},
			{"an empty jti", "", nil},
		} {
			assert.ErrorIs(t, w.check(row.jti), row.want, row.name)
		}
		assert.NoError(t, w.list.Check(t.Context(), w.token("", authtest.Without("jti"))), "no jti")
	})
}

// Another issuer's token passes, whatever its jti and the age of the list.
func TestOtherIssuersPass(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.server.revoke(time.Hour, "grant")
		ours := w.iss
		w.iss = authtest.NewIssuer(t, authtest.IssuedBy(ours.Name()+"/"))
		theirs := w.token("grant.1")
		w.iss = ours
		stop := w.run()
		assert.NoError(t, w.list.Check(t.Context(), theirs), "not read yet")
		require.NoError(t, w.list.Ready(t.Context()))
		assert.NoError(t, w.list.Check(t.Context(), theirs))
		assert.ErrorIs(t, w.check("grant.1"), revocation.ErrRevoked)
		stop()
		time.Sleep(time.Hour)
		assert.NoError(t, w.list.Check(t.Context(), theirs), "stale")
	})
}

// The middleware answers 401 for a revoked token and 503 for a stale list, also when the token is cached.
func TestAnswersOfTheMiddleware(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		defer w.run()()
		cfg := w.iss.Config()
		cfg.Check = w.list.Check
		auth, err := middleware.New(cfg)
		require.NoError(t, err)
		defer auth.Close()
		h := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		request := w.iss.Request("GET", "/", authtest.Claim("jti", "grant.1"))
		ask := func() *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, request.Clone(t.Context()))
			return rec
		}
		require.NoError(t, w.list.Ready(t.Context()))
		assert.Equal(t, 200, ask().Code)
		w.server.revoke(time.Hour, "grant")
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		answer := ask()
		assert.Equal(t, 401, answer.Code)
		assert.Contains(t, answer.Header().Get("WWW-Authenticate"), `error="invalid_token"`)

		w.server.set(status(500))
		time.Sleep(2 * w.cfg.MaxAge)
		assert.Equal(t, 401, ask().Code, "a known revocation holds while the list is stale")
		request = w.iss.Request("GET", "/", authtest.Claim("jti", "other.1"))
		answer = ask()
		assert.Equal(t, 503, answer.Code)
		assert.NotEmpty(t, answer.Header().Get("Retry-After"))
	})
}

// status answers with a status alone.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestBeforeTheFirstPoll(t *testing.T) {
	for _, row := range []struct {
		when revocation.WhenStale
		want error
	}{{revocation.Reject, revocation.ErrStale}, {revocation.Accept, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.WhenStale = row.when
				w.server.set(status(500))
				defer w.run()()
				synctest.Wait()
				assert.ErrorIs(t, w.check("grant.1"), row.want)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := w.list.Ready(ctx)
				assert.ErrorIs(t, err, middleware.ErrCheckUnavailable)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, "status 500")
				assert.True(t, w.list.Status().Stale)

				w.server.revoke(time.Hour, "grant")
				w.server.set(nil)
				require.NoError(t, w.list.Ready(t.Context()))
				assert.ErrorIs(t, w.check("grant.1"), revocation.ErrRevoked)
				assert.NoError(t, w.check("other.1"))
				assert.False(t, w.list.Status().Stale)
			})
		})
	}
}

// An entry is removed when it has expired, and for no other reason.
func TestEntriesExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.server.revoke(20*time.Second, "short")
		w.server.revoke(time.Hour, "long")
		w.server.revoke(-time.Second, "over")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		assert.Equal(t, 2, w.list.Status().Entries, "an expired entry is not added")
		w.server.forget() // like a server that was restored from a backup
		time.Sleep(15 * time.Second)
		assert.ErrorIs(t, w.check("short.1"), revocation.ErrRevoked)
		time.Sleep(15 * time.Second)
		assert.NoError(t, w.check("short.1"))
		assert.ErrorIs(t, w.check("long.1"), revocation.ErrRevoked)
		assert.Equal(t, 1, w.list.Status().Entries)
		time.Sleep(time.Hour)
		assert.Zero(t, w.list.Status().Entries)
	})
}

// Each entry expires in its own second, whatever was added before or after it.
func TestEntriesExpireInTheirSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.Interval = 50 * time.Millisecond
		w.server.pageSize = 600
		revoke := func(batch string, first, last int) {
			for i := range 600 {
				w.server.revoke(time.Duration(first+i%(last-first))*time.Second, fmt.Sprint(batch, i))
			}
		}
		revoke("late", 20, 40)
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		revoke("early", 1, 30)
		for range 41 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			live := 0
			for _, e := range w.server.revoked {
				if e.Exp > time.Now().Unix() {
					live++
				}
			}
			require.Equal(t, live, w.list.Status().Entries, time.Now())
			time.Sleep(900 * time.Millisecond)
		}
		assert.Zero(t, w.list.Status().Entries)
	})
}

// An id that is listed twice keeps the later exp.
func TestEntryIsExtendedAndNeverShortened(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.server.revoke(time.Minute, "grant", "other")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		w.server.revoke(10*time.Minute, "grant")
		w.server.revoke(time.Second, "other")
		time.Sleep(50 * time.Second)
		assert.ErrorIs(t, w.check("other.1"), revocation.ErrRevoked)
		time.Sleep(8 * time.Minute)
		assert.ErrorIs(t, w.check("grant.1"), revocation.ErrRevoked)
		assert.Equal(t, 1, w.list.Status().Entries)
	})
}

// A clock that was ahead for a while removes entries too early. They are read again once the clock is right.
func TestClockGoesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var ahead time.Duration
		set := func(d time.Duration) { mu.Lock(); ahead = d; mu.Unlock() }
		w.cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
		w.server.again = 0
		w.server.revoke(time.Hour, "grant")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		set(24 * time.Hour)
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.Zero(t, w.list.Status().Entries)
		set(0)
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.ErrorIs(t, w.check("grant.1"), revocation.ErrRevoked)
	})
}

// While they can't be read again, the list is incomplete, so it is stale whatever its age.
func TestClockGoesBackDuringAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var ahead atomic.Int64
		w.cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		w.server.again = 0
		w.server.revoke(time.Hour, "grant")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		ahead.Store(int64(24 * time.Hour))
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		ahead.Store(0)
		w.server.set(status(503))
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.ErrorIs(t, w.check("grant.1"), revocation.ErrStale)
		w.server.set(nil)
		time.Sleep(w.cfg.MaxAge / 4)
		synctest.Wait()
		assert.ErrorIs(t, w.check("grant.1"), revocation.ErrRevoked)
		assert.NoError(t, w.check("other.1"))
	})
}

// Checks may run while the list changes.
func TestConcurrentChecks(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		const n = 2000
		w.cfg.Interval = 10 * time.Millisecond
		w.server.revoke(time.Hour, "always")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		always, later := w.token("always.1"), w.token(fmt.Sprint("s", n-1, ".1"))
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				for w.list.Check(t.Context(), later) == nil {
					assert.ErrorIs(t, w.list.Check(t.Context(), always), revocation.ErrRevoked)
					w.list.Status()
					time.Sleep(time.Millisecond)
				}
				assert.ErrorIs(t, w.list.Check(t.Context(), later), revocation.ErrRevoked)
			})
		}
		for i := range n {
			w.server.revoke(time.Second+time.Duration(i)*time.Millisecond, fmt.Sprint("s", i))
			if i%100 == 0 {
				time.Sleep(w.cfg.Interval)
			}
		}
		readers.Wait()
	})
}

// Without an HTTPClient a List uses its own transport.
func TestOwnTransport(t *testing.T) {
	f := newFakeServer()
	f.revoke(time.Hour, "grant")
	srv := httptest.NewServer(http.StripPrefix("/revoked", f))
	defer srv.Close()
	w := newWorld(t)
	w.cfg = revocation.NewConfig(srv.URL+"/", "api1", secret)
	assert.Equal(t, srv.URL+"/revoked", w.cfg.URL)
	w.cfg.WhenStale = revocation.Reject
	defer w.run()()
	require.NoError(t, w.list.Ready(t.Context()))
	assert.Equal(t, 1, w.list.Status().Entries)
	assert.Contains(t, w.list.Run(t.Context()).Error(), "already running")
}
