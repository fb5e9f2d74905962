package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/revocation"
)

// filled runs a list with n entries, which are as long as those of authserver, until the test ends.
func filled(tb testing.TB, n int) *world {
	w := newWorld(tb)
	w.feed.pageSize = 10_000
	w.cfg.Interval, w.cfg.MaxAge = 20*time.Minute, time.Hour
	for i := range n {
		w.feed.revoke(time.Hour, fmt.Sprintf("revoked-%014d", i))
	}
	tb.Cleanup(w.run())
	require.NoError(tb, w.list.Ready(context.Background()))
	require.Equal(tb, n, w.list.Status().Entries)
	return w
}

// BenchmarkCheck is what every request pays, by how many entries there are.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		w := filled(b, n)
		rows := []struct {
			name, jti string
			want      error
		}{{"passes", "another-00000000000000.1.ABCDEFGHIJKLMNOPQRSTUVWXYZ", nil}}
		if n > 0 {
			rows = append(rows, struct {
				name, jti string
				want      error
			}{"revoked", fmt.Sprintf("revoked-%014d.1.ABCDEFGHIJKLMNOPQRSTUVWXYZ", n/2), revocation.ErrRevoked})
		}
		for _, row := range rows {
			tok := w.token(row.jti)
			b.Run(fmt.Sprintf("%d/%s", n, row.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := w.list.Check(context.Background(), tok); !errors.Is(err, row.want) {
						b.Fatal(err)
					}
				}
			})
		}
		tok := w.token(rows[0].jti)
		b.Run(fmt.Sprintf("%d/parallel", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := w.list.Check(context.Background(), tok); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkHandler is a whole request whose token is remembered, without a Check and with a full list's.
func BenchmarkHandler(b *testing.B) {
	w := filled(b, 100_000)
	for _, row := range []struct {
		name  string
		check func(context.Context, *middleware.Token) error
	}{{"without", nil}, {"with", w.list.Check}} {
		b.Run(row.name, func(b *testing.B) {
			cfg := w.iss.Config()
			cfg.Check = row.check
			auth, err := middleware.New(cfg)
			require.NoError(b, err)
			defer auth.Close()
			passed := 0
			h := auth.HandlerFunc(func(http.ResponseWriter, *http.Request, *middleware.Token) { passed++ })
			r, rec := w.iss.Request("GET", "/", authtest.Claim("jti", "another-00000000000000.1.ABC")), httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(rec, r)
			}
			require.Greater(b, passed, 1)
		})
	}
}

// BenchmarkFirstWalk reads everything, in pages of 10 000.
func BenchmarkFirstWalk(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := filled(b, n)
			for b.Loop() {
				stop := w.run()
				require.NoError(b, w.list.Ready(context.Background()))
				stop()
			}
		})
	}
}

// A Check leaves nothing to the garbage collector, whatever its verdict.
func TestCheckAllocatesNothing(t *testing.T) {
	if raceDetector {
		return // which allocates by itself
	}
	w := filled(t, 1000)
	for _, jti := range []string{"another.1", "revoked-00000000000500.1", ""} {
		tok := w.token(jti)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _ = w.list.Check(context.Background(), tok) }), jti)
	}
	stale := newWorld(t)
	list, err := revocation.New(stale.cfg)
	require.NoError(t, err)
	tok := w.token("another.1")
	require.ErrorIs(t, list.Check(t.Context(), tok), revocation.ErrStale)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = list.Check(context.Background(), tok) }))
}

// A full list takes the memory that MaxEntries speaks of, with ids as long as authserver's and at their longest.
func TestMemory(t *testing.T) {
	if raceDetector {
		return // which takes more by itself
	}
	for _, row := range []struct {
		id   string
		most int64 // bytes
	}{{"%022d", 8e6}, {"%0128d", 20e6}} {
		w := newWorld(t)
		w.feed.pageSize = 5000
		for i := range w.cfg.MaxEntries {
			w.feed.revoke(time.Hour, fmt.Sprintf(row.id, i))
		}
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		stop := w.run()
		require.NoError(t, w.list.Ready(t.Context()))
		stop()
		took := heap() - before
		t.Logf("%d entries of %d bytes: %.1f MB", w.list.Status().Entries, len(w.feed.revoked[0].ID), float64(took)/1e6)
		assert.Less(t, took, row.most)
		runtime.KeepAlive(w)
	}
}
