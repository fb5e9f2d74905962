// Command bench measures what a request costs behind package middleware and behind its peers, as ratios: every chunk of a
// case runs between two chunks of its reference, in rounds of shuffled order, and the median of the ratios counts. Absolute
// times of a busy machine move by half; the ratios hold within a few percent. It writes Markdown:
//
//	cd middleware/peerbench && go run ./bench
//	go run ./bench -peers 'Bearergate|golang-jwt|auth0' -rounds 20
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"regexp"
	"runtime"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 30, "rounds of each table")
	chunk := flag.Duration("chunk", 3*time.Millisecond, "length of one measurement")
	peers := flag.String("peers", ".", "regular expression for the libraries to measure")
	flood := flag.Duration("flood", 2*time.Second, "length of each part of the flood; 0 for none")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // keyfunc reports there
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b := &bench{ctx: ctx, rounds: *rounds, chunk: *chunk, peers: regexp.MustCompile(*peers)}
	fmt.Printf("%s, %s/%s, %d processors; median of %d rounds (quartiles)\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), *rounds)
	for _, table := range []func() error{b.success, b.refusals, b.remembered, func() error { return b.flood(*flood) }} {
		if err := table(); err != nil {
			log.Fatal(err)
		}
	}
}
