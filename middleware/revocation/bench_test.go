package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/revocation"
)

// newFullWorld runs a list with n entries, as long as those of authserver, until the test ends.
func newFullWorld(tb testing.TB, n int) *world {
	w := newWorld(tb)
	w.server.pageSize = 10_000
	w.cfg.Interval, w.cfg.MaxAge = 20*time.Minute, time.Hour
	for i := range n {
		w.server.revoke(time.Hour, fmt.Sprintf("revoked-%014d", i))
	}
	tb.Cleanup(w.run())
	require.NoError(tb, w.list.Ready(context.Background()))
	require.Equal(tb, n, w.list.Status().Entries)
	return w
}

// BenchmarkCheck measures what every request pays, by the number of entries.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		w := newFullWorld(b, n)
		rows := []struct {
			name, jti string
			want      error
		}{{"accepted", "another-00000000000000.1.ABCDEFGHIJKLMNOPQRSTUVWXYZ", nil}}
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

// BenchmarkHandler measures a whole request with a cached token, without a Check and with the Check of a full list.
func BenchmarkHandler(b *testing.B) {
	w := newFullWorld(b, 100_000)
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

// BenchmarkFirstPoll reads everything, in pages of 10 000.
func BenchmarkFirstPoll(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newFullWorld(b, n)
			for b.Loop() {
				stop := w.run()
				require.NoError(b, w.list.Ready(context.Background()))
				stop()
			}
		})
	}
}
