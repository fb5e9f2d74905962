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
		w.feed.revoke(time.Hour, "family", "whole.jti", "x")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		for _, row := range []struct {
			name string
			jti  string
			want error
		}{
			{"another session", "other.1", nil},
			{"the session", "family.1.ABC", revocation.ErrRevoked},
			{"the session, without anything behind it", "family", revocation.ErrRevoked},
			{"the session, with a dot alone", "family.", revocation.ErrRevoked},
			{"a token that is listed itself", "whole.jti", revocation.ErrRevoked},
			{"another token of the session of that one", "whole.other", nil},
			{"what only begins like the session", "family2.1", nil},
			{"what the session begins with", "fam.1", nil},
			{"the session in another case", "Family.1", nil},
			{"the session behind a dot", ".family", nil},
			{"a session of one byte", "x.y", revocation.ErrRevoked},
			{"an empty jti", "", nil},
		} {
			assert.ErrorIs(t, w.check(row.jti), row.want, row.name)
		}
		assert.NoError(t, w.list.Check(t.Context(), w.token("", authtest.Without("jti"))), "no jti")
	})
}

// Another issuer's token passes, whatever its jti is and however old the list.
func TestOtherIssuersPass(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.feed.revoke(time.Hour, "family")
		ours := w.iss
		w.iss = authtest.NewIssuer(t, authtest.IssuedBy(ours.Name()+"/"))
		theirs := w.token("family.1")
		w.iss = ours
		stop := w.run()
		assert.NoError(t, w.list.Check(t.Context(), theirs), "not read yet")
		require.NoError(t, w.list.Ready(t.Context()))
		assert.NoError(t, w.list.Check(t.Context(), theirs))
		assert.ErrorIs(t, w.check("family.1"), revocation.ErrRevoked)
		stop()
		time.Sleep(time.Hour)
		assert.NoError(t, w.list.Check(t.Context(), theirs), "stale")
	})
}

// What the middleware makes of the verdicts, for a token that it remembers as well.
func TestTheAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		defer w.run()()
		cfg := w.iss.Config()
		cfg.Check = w.list.Check
		auth, err := middleware.New(cfg)
		require.NoError(t, err)
		defer auth.Close()
		h := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		request := w.iss.Request("GET", "/", authtest.Claim("jti", "family.1"))
		ask := func() *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, request.Clone(t.Context()))
			return rec
		}
		require.NoError(t, w.list.Ready(t.Context()))
		assert.Equal(t, 200, ask().Code)
		w.feed.revoke(time.Hour, "family")
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		answer := ask()
		assert.Equal(t, 401, answer.Code)
		assert.Contains(t, answer.Header().Get("WWW-Authenticate"), `error="invalid_token"`)

		w.feed.set(status(500))
		time.Sleep(2 * w.cfg.MaxAge)
		assert.Equal(t, 401, ask().Code, "what is known is known")
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

func TestBeforeTheFirstWalk(t *testing.T) {
	for _, row := range []struct {
		when revocation.WhenStale
		want error
	}{{revocation.Refuse, revocation.ErrStale}, {revocation.Accept, nil}} {
		t.Run(string(row.when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.cfg.WhenStale = row.when
				w.feed.set(status(500))
				defer w.run()()
				synctest.Wait()
				assert.ErrorIs(t, w.check("family.1"), row.want)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := w.list.Ready(ctx)
				assert.ErrorIs(t, err, middleware.ErrCheckUnavailable)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, "status 500")
				assert.True(t, w.list.Status().Stale)

				w.feed.revoke(time.Hour, "family")
				w.feed.set(nil)
				require.NoError(t, w.list.Ready(t.Context()))
				assert.ErrorIs(t, w.check("family.1"), revocation.ErrRevoked)
				assert.NoError(t, w.check("other.1"))
				assert.False(t, w.list.Status().Stale)
			})
		})
	}
}

// An entry goes when it has ended, and for no other reason.
func TestEntriesEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.feed.revoke(20*time.Second, "short")
		w.feed.revoke(time.Hour, "long")
		w.feed.revoke(-time.Second, "over")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		assert.Equal(t, 2, w.list.Status().Entries, "what is over already is not taken")
		w.feed.forget() // as a server does that was restored from a backup
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

// Each ends in its second, whatever others end earlier or later and came before or after it.
func TestEntriesEndInTheirSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.cfg.Interval = 50 * time.Millisecond
		w.feed.pageSize = 600
		revoke := func(batch string, first, last int) {
			for i := range 600 {
				w.feed.revoke(time.Duration(first+i%(last-first))*time.Second, fmt.Sprint(batch, i))
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
			for _, e := range w.feed.revoked {
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

// The same id again stays for the later of both times.
func TestAnEntryIsProlongedAndNeverShortened(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.feed.revoke(time.Minute, "family", "other")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		w.feed.revoke(10*time.Minute, "family")
		w.feed.revoke(time.Second, "other")
		time.Sleep(50 * time.Second)
		assert.ErrorIs(t, w.check("other.1"), revocation.ErrRevoked)
		time.Sleep(8 * time.Minute)
		assert.ErrorIs(t, w.check("family.1"), revocation.ErrRevoked)
		assert.Equal(t, 1, w.list.Status().Entries)
	})
}

// A clock that was ahead for a while removes what has not ended; it is fetched again once the clock is right.
func TestAClockThatGoesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var ahead time.Duration
		set := func(d time.Duration) { mu.Lock(); ahead = d; mu.Unlock() }
		w.cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
		w.feed.again = 0
		w.feed.revoke(time.Hour, "family")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		set(24 * time.Hour)
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.Zero(t, w.list.Status().Entries)
		set(0)
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.ErrorIs(t, w.check("family.1"), revocation.ErrRevoked)
	})
}

// If it can't be fetched again, the list is incomplete and does not count as up to date, however young it is.
func TestAClockThatGoesBackDuringAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var ahead atomic.Int64
		w.cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		w.feed.again = 0
		w.feed.revoke(time.Hour, "family")
		defer w.run()()
		require.NoError(t, w.list.Ready(t.Context()))
		ahead.Store(int64(24 * time.Hour))
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		ahead.Store(0)
		w.feed.set(status(503))
		time.Sleep(w.cfg.Interval)
		synctest.Wait()
		assert.ErrorIs(t, w.check("family.1"), revocation.ErrStale)
		w.feed.set(nil)
		time.Sleep(w.cfg.MaxAge / 4)
		synctest.Wait()
		assert.ErrorIs(t, w.check("family.1"), revocation.ErrRevoked)
		assert.NoError(t, w.check("other.1"))
	})
}

// Reading goes on while the list changes.
func TestChecksWhileTheListChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		const n = 2000
		w.cfg.Interval = 10 * time.Millisecond
		w.feed.revoke(time.Hour, "always")
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
			w.feed.revoke(time.Second+time.Duration(i)*time.Millisecond, fmt.Sprint("s", i))
			if i%100 == 0 {
				time.Sleep(w.cfg.Interval)
			}
		}
		readers.Wait()
	})
}

// Over TCP, with the transport that is used if the caller brings none.
func TestOnLoopback(t *testing.T) {
	f := newFeed()
	f.revoke(time.Hour, "family")
	srv := httptest.NewServer(http.StripPrefix("/revoked", f))
	defer srv.Close()
	w := newWorld(t)
	w.cfg = revocation.NewConfig(srv.URL+"/", "api1", secret)
	assert.Equal(t, srv.URL+"/revoked", w.cfg.URL)
	w.cfg.WhenStale = revocation.Refuse
	defer w.run()()
	require.NoError(t, w.list.Ready(t.Context()))
	assert.Equal(t, 1, w.list.Status().Entries)
	assert.Contains(t, w.list.Run(t.Context()).Error(), "running already")
}
