package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/peerbench"
)

// success measures good tokens, all the way to the handler.
func (b *bench) success() error {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		iss := newIssuer(alg)
		good := peerbench.Typical(iss, alg)
		reference, err := verification(iss, alg, good)
		if err != nil {
			return err
		}
		var cases []*measured
		for _, peer := range b.libraries() {
			api, err := b.build(iss, alg, peer, good)
			if err != nil {
				return err
			}
			cases = append(cases, &measured{name: peer.Name, run: serving(api.handler, good), reference: reference})
		}
		b.measure("A good token, "+alg, "raw verification", cases)
	}
	return nil
}

// refusals measures rejected tokens, ES256.
func (b *bench) refusals() error {
	iss := newIssuer("ES256")
	good := peerbench.Typical(iss, "ES256")
	reference, err := verification(iss, "ES256", good)
	if err != nil {
		return err
	}
	madeUp := make([]string, 512)
	for i := range madeUp {
		madeUp[i] = peerbench.Typical(iss, "ES256", authtest.Header("kid", fmt.Sprintf("made up %d", i)))
	}
	for _, row := range []struct {
		name string
		raws []string
	}{
		{"No token", []string{""}},
		{"8 KiB of garbage", []string{strings.Repeat("A", 8<<10)}},
		{"Expired", []string{peerbench.Typical(iss, "ES256", authtest.Expired)}},
		{"Another audience", []string{peerbench.Typical(iss, "ES256", authtest.Audience("x"))}},
		{"Another issuer", []string{peerbench.Typical(iss, "ES256", authtest.IssuedBy("https://x.test"))}},
		{"One unknown kid", madeUp[:1]},
		{"512 made-up kids in turns", madeUp},
		{"A bad signature", []string{peerbench.Forged(good)}},
	} {
		var cases []*measured
		for _, peer := range b.libraries() {
			if peer.Name == cachedName || !peer.KeySet && strings.Contains(row.name, "kid") {
				continue
			}
			api, err := b.build(iss, "ES256", peer, good)
			if err != nil {
				return err
			}
			for range 2 { // a library that caches unknown kids has fetched for this one by then
				for _, raw := range row.raws {
					if api.passes(raw) {
						b.leftOut(peer.Name, row.name+" is accepted")
						api = nil
						break
					}
				}
				if api == nil {
					break
				}
			}
			if api != nil {
				cases = append(cases, &measured{name: peer.Name, run: serving(api.handler, row.raws...), reference: reference})
			}
		}
		b.measure(row.name, "raw ES256 verification", cases)
	}
	return nil
}

// next is opaque to the compiler, so that its request is on the heap.
var next http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

type contextKey struct{}

// cachedTokens measures tokens that were verified before, against what any middleware must do to pass something on.
func (b *bench) cachedTokens() error {
	iss := newIssuer("ES256")
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := r.Header["Authorization"]; len(h) == 1 && strings.HasPrefix(h[0], "Bearer ") {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, iss)))
		}
	})
	var cases []*measured
	for _, n := range []int{1, 1000} {
		raws := make([]string, n)
		for i := range raws {
			raws[i] = peerbench.Typical(iss, "ES256")
		}
		rotating := func(h http.Handler) func() { return serving(h, raws...) }
		cfg := iss.Config()
		cfg.Now = nil
		auth, err := middleware.New(cfg)
		if err != nil {
			return err
		}
		context.AfterFunc(b.ctx, func() { _ = auth.Close() })
		name := fmt.Sprintf("%d in rotation", n)
		handler := rotating(auth.Handler(next))
		for range n {
			handler()
		}
		cases = append(cases, &measured{name: name + ", Handler", run: handler, reference: rotating(floor)},
			&measured{name: name + ", HandlerFunc", reference: rotating(floor), run: rotating(auth.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request, _ *middleware.Token) { next.ServeHTTP(w, r) }))})
	}
	b.measure("A cached token", "header read, WithValue and WithContext", cases)
	return nil
}

// memory measures what a cached token takes, its text included.
func (b *bench) memory() error {
	n := b.keep
	iss := newIssuer("ES256")
	raws := make([]string, n)
	for i := range raws {
		raws[i] = peerbench.Typical(iss, "ES256")
	}
	cfg := iss.Config()
	cfg.CacheBytes = 1 << 30
	v, err := middleware.NewValidator(cfg)
	if err != nil {
		return err
	}
	if _, err := v.Validate(b.ctx, raws[0]); err != nil { // the table of the cache exists from now on
		return err
	}
	before := heap()
	for _, raw := range raws[1:] {
		if _, err := v.Validate(b.ctx, raw); err != nil {
			return err
		}
	}
	each := (heap() - before) / int64(n-1)
	if err := v.Close(); err != nil { // and v lives until here
		return err
	}
	fmt.Fprintf(b.out, "### Memory for a cached token\n\n%d bytes a token, of %d with %d bytes of text\n\n", each, n, len(raws[0]))
	return nil
}

// heap returns the memory in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
