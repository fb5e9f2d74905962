package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// rich is a token like those in use: RFC 9068 and some claims of one's own.
func rich(alg string) []authtest.Mod {
	return []authtest.Mod{authtest.Algorithm(alg), authtest.Audience("api1", "api2"), authtest.Scope("openid", "profile", "orders:read", "orders:write"),
		authtest.Claim("roles", []string{"admin", "user", "auditor"}), authtest.Claim("auth_time", 1700000000), authtest.Claim("acr", "urn:example:gold")}
}

// BenchmarkHandler: a new good token every time costs one verification and little more; what does not deserve one costs
// next to nothing. The row raw is the verification alone, of a signature that is already decoded.
func BenchmarkHandler(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(alg, func(b *testing.B) {
			w := newWorld(b)
			w.cfg.CacheBytes = 0
			auth, err := middleware.New(w.cfg)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = auth.Close() })
			good := w.iss.Token(rich(alg)...)
			if _, err := auth.Validator().Validate(context.Background(), good); err != nil {
				b.Fatal(err)
			}
			verify := rawVerify(b, w, alg, good)
			b.Run("raw", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !verify() {
						b.Fatal("bad")
					}
				}
			})
			h := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			n := strings.LastIndexByte(good, '.')
			for _, row := range []struct{ name, header string }{
				{"good", "Bearer " + good},
				{"no token", ""},
				{"8 KiB of garbage", "Bearer " + strings.Repeat("A", 8<<10)},
				{"expired", "Bearer " + w.iss.Token(append(rich(alg), authtest.Expired)...)},
				{"wrong audience", "Bearer " + w.iss.Token(append(rich(alg), authtest.Audience("x"))...)},
				{"unknown kid", "Bearer " + w.iss.Token(append(rich(alg), authtest.Header("kid", "x"))...)},
				{"bad signature", "Bearer " + good[:n+1] + "A" + flip(good[n+2:])},
			} {
				b.Run(row.name, func(b *testing.B) {
					r := httptest.NewRequest("GET", "/", nil)
					if row.header != "" {
						r.Header.Set("Authorization", row.header)
					}
					rec := &discard{h: http.Header{}}
					b.ReportAllocs()
					for b.Loop() {
						h.ServeHTTP(rec, r)
					}
				})
			}
		})
	}
}

// flip changes a character in the middle, so that the bytes differ and the text stays base64url.
func flip(s string) string {
	c := byte('A')
	if s[len(s)/2] == c {
		c = 'B'
	}
	return s[:len(s)/2] + string(c) + s[len(s)/2+1:]
}

// next is a handler that the compiler can't look into: it must be given a request on the heap.
var next http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// BenchmarkCached: a token that was verified before. The row floor is what any middleware must do to hand something on
// in a context: read the header, WithValue, WithContext.
func BenchmarkCached(b *testing.B) {
	w := newWorld(b)
	w.cfg.Now = nil
	auth := w.bearer(b)
	type key struct{}
	floor := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := r.Header["Authorization"]; len(h) == 1 && strings.HasPrefix(h[0], "Bearer ") {
			next.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), key{}, w)))
		}
	})
	for _, n := range []int{1, 1000} {
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = w.iss.Request("GET", "/", rich("ES256")...)
			serve(auth.Handler(next), requests[i])
		}
		for _, row := range []struct {
			name string
			h    http.Handler
		}{{"floor", floor}, {"Handler", auth.Handler(next)}, {"HandlerFunc", auth.HandlerFunc(func(rw http.ResponseWriter, r *http.Request, _ *middleware.Token) {
			next.ServeHTTP(rw, r)
		})}} {
			b.Run(fmt.Sprintf("%d tokens/%s", n, row.name), func(b *testing.B) {
				rec := &discard{h: http.Header{}}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					row.h.ServeHTTP(rec, requests[i])
					if i++; i == n {
						i = 0
					}
				}
			})
		}
	}
}

// BenchmarkCachedParallel: with -cpu 1,2 it shows whether hits get into each other's way.
func BenchmarkCachedParallel(b *testing.B) {
	w := newWorld(b)
	w.cfg.Now = nil
	h := w.bearer(b).HandlerFunc(func(http.ResponseWriter, *http.Request, *middleware.Token) {})
	header := "Bearer " + w.iss.Token(rich("ES256")...)
	b.RunParallel(func(pb *testing.PB) {
		var requests [64]*http.Request // in turns, since one alone is up to 40 ns faster or slower from run to run
		for i := range requests {
			requests[i] = httptest.NewRequest("GET", "/", nil)
			requests[i].Header.Set("Authorization", header)
		}
		rec := &discard{h: http.Header{}}
		for i := 0; pb.Next(); i++ {
			h.ServeHTTP(rec, requests[i%len(requests)])
		}
	})
}
