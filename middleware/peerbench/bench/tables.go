package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// success: a good token, all the way to the handler.
func (b *bench) success() error {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		iss := authtest.NewIssuer(nil, authtest.Algorithm(alg))
		good := token(iss, alg)
		reference, err := verification(iss, alg, good)
		if err != nil {
			return err
		}
		var cases []*measured
		for _, peer := range b.libraries() {
			h, passed, err := b.build(iss, alg, peer, good)
			if err != nil || !passed {
				fmt.Printf("%s: %s is left out: passed %v, %v\n\n", alg, peer.Name, passed, err)
				continue
			}
			cases = append(cases, &measured{name: peer.Name, run: serving(h, good), reference: reference})
		}
		b.measure("A good token, "+alg, "raw verification", cases)
	}
	return nil
}

// refusals: what is not let through, ES256.
func (b *bench) refusals() error {
	iss := authtest.NewIssuer(nil)
	good := token(iss, "ES256")
	reference, err := verification(iss, "ES256", good)
	if err != nil {
		return err
	}
	end := len(good) - 40
	flipped := good[:end] + map[bool]string{true: "B", false: "A"}[good[end] == 'A'] + good[end+1:]
	for _, row := range []struct{ name, raw string }{
		{"No token", ""},
		{"8 KiB of garbage", strings.Repeat("A", 8<<10)},
		{"Expired", token(iss, "ES256", authtest.Expired)},
		{"Another audience", token(iss, "ES256", authtest.Audience("x"))},
		{"Another issuer", token(iss, "ES256", authtest.IssuedBy("https://x.test"))},
		{"A bad signature", flipped},
	} {
		var cases []*measured
		for _, peer := range b.libraries() {
			h, passed, err := b.build(iss, "ES256", peer, good)
			if err != nil || !passed || strings.HasSuffix(peer.Name, "seen before") {
				continue
			}
			cases = append(cases, &measured{name: peer.Name, run: serving(h, row.raw), reference: reference})
		}
		b.measure(row.name, "raw ES256 verification", cases)
	}
	return nil
}

// next can't be looked into by the compiler, so that it must be given a request on the heap.
var next http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

type contextKey struct{}

// remembered: tokens that were verified before, against what any middleware must do to hand something on.
func (b *bench) remembered() error {
	iss := authtest.NewIssuer(nil)
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := r.Header["Authorization"]; len(h) == 1 && strings.HasPrefix(h[0], "Bearer ") {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, iss)))
		}
	})
	var cases []*measured
	for _, n := range []int{1, 1000} {
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = request(token(iss, "ES256"))
		}
		rotating := func(h http.Handler) func() {
			w, i := &writer{h: http.Header{}}, 0
			return func() {
				h.ServeHTTP(w, requests[i])
				if i++; i == n {
					i = 0
				}
			}
		}
		for _, digests := range []bool{false, true} {
			cfg := iss.Config()
			cfg.Now, cfg.CacheDigests = nil, digests
			auth, err := middleware.New(cfg)
			if err != nil {
				return err
			}
			context.AfterFunc(b.ctx, func() { _ = auth.Close() })
			name := fmt.Sprintf("%d in rotation", n)
			if digests {
				name += ", CacheDigests"
			}
			handler := rotating(auth.Handler(next))
			for range n {
				handler()
			}
			cases = append(cases, &measured{name: name + ", Handler", run: handler, reference: rotating(floor)},
				&measured{name: name + ", HandlerFunc", reference: rotating(floor), run: rotating(auth.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request, _ *middleware.Token) { next.ServeHTTP(w, r) }))})
		}
	}
	b.measure("A token seen before", "header read, WithValue and WithContext", cases)
	return nil
}

// flood: how long a request with a known token takes while others send forged signatures without a pause.
func (b *bench) flood(length time.Duration) error {
	if length == 0 {
		return nil
	}
	fmt.Print("### A known token while 64 clients send forged signatures\n\n| MaxVerifications | p50, quiet | p99, quiet | p50, flood | p99, flood | p99, ratio |\n|---|---|---|---|---|---|\n")
	iss := authtest.NewIssuer(nil)
	good := token(iss, "ES256")
	end := len(good) - 40
	forged := good[:end] + map[bool]string{true: "B", false: "A"}[good[end] == 'A'] + good[end+1:]
	for _, most := range []int{middleware.NewConfig("").MaxVerifications, runtime.GOMAXPROCS(0), 0} {
		cfg := iss.Config()
		cfg.Now, cfg.MaxVerifications = nil, most
		auth, err := middleware.New(cfg)
		if err != nil {
			return err
		}
		known := serving(auth.Handler(next), good)
		known()
		quiet := latencies(known, length)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for forge := serving(auth.Handler(next), forged); !stop.Load(); {
					forge()
				}
			})
		}
		busy := latencies(known, length)
		stop.Store(true)
		wg.Wait()
		fmt.Printf("| %d | %v | %v | %v | %v | **%.1f** |\n", most, at(quiet, 50), at(quiet, 99), at(busy, 50), at(busy, 99), float64(at(busy, 99))/float64(at(quiet, 99)))
		_ = auth.Close()
	}
	fmt.Println()
	return nil
}

// latencies asks about a thousand times a second: from when the request is due to when it is answered.
func latencies(f func(), length time.Duration) (list []time.Duration) {
	for end := time.Now().Add(length); time.Now().Before(end); {
		due := time.Now().Add(time.Millisecond)
		time.Sleep(time.Until(due))
		f()
		list = append(list, time.Since(due))
	}
	slices.Sort(list)
	return list
}

func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[len(sorted)*percent/100].Round(time.Microsecond)
}
