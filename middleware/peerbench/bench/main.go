// Command bench measures the cost of a request behind package middleware and behind other libraries, as ratios. Every chunk of a
// case runs between two chunks of its reference, in rounds of shuffled order, and the median of the ratios counts. On a busy
// machine absolute times change by half, the ratios by a few percent. It writes Markdown:
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
	"os"
	"regexp"
	"runtime"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 30, "`number` of rounds for each table")
	chunk := flag.Duration("chunk", 3*time.Millisecond, "`length` of one measurement")
	peers := flag.String("peers", ".", "libraries to measure, a regular `expression`")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // keyfunc logs there
	log.SetOutput(os.Stderr)                                        // slog.SetDefault has redirected it
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	measured, err := regexp.Compile(*peers)
	if err != nil {
		log.Fatalf("-peers: %v", err)
	}
	if *rounds < 1 || *chunk <= 0 || flag.NArg() > 0 {
		log.Fatal("-rounds and -chunk must be more than 0, and there are no arguments")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b := &bench{ctx: ctx, rounds: *rounds, chunk: *chunk, count: 200, keep: 10000, peers: measured, out: os.Stdout}
	if err := b.run(); err != nil {
		log.Fatal(err)
	}
}

// run writes all tables.
func (b *bench) run() error {
	fmt.Fprintf(b.out, "%s, %s/%s, %d processors; median of %d rounds (quartiles)\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), b.rounds)
	for _, table := range []func() error{b.success, b.refusals, b.cachedTokens, b.memory} {
		if err := table(); err != nil {
			return err
		}
	}
	return nil
}
