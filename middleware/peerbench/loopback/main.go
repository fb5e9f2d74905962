// Command loopback measures the cost of package middleware and of other libraries in a server, over loopback HTTP/1.1. The
// reference is a handler without authentication, which gets the same requests with the same Authorization header. Each server is
// a process on one processor, the client is on another; 16 connections send one token after the other.
//
// In every round the cases run in shuffled order in new processes, and each alternates with the reference. The median of the
// ratios counts, and the quartiles show how reliable it is. The server's processor time varies less than requests a second,
// which depend on the client too. It writes Markdown:
//
//	cd middleware/peerbench && go run ./loopback
//	go run ./loopback -peers . -alg RS256
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // keyfunc logs there
	log.SetOutput(os.Stderr)                                        // slog.SetDefault has redirected it
	log.SetFlags(0)
	log.SetPrefix("loopback: ")
	harness.Main(serve)
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 10, "`number` of rounds; each starts new processes")
	flag.IntVar(&b.turns, "turns", 5, "`number` of measurements of a case in a round")
	flag.DurationVar(&b.chunk, "chunk", 100*time.Millisecond, "`length` of one measurement")
	flag.IntVar(&b.connections, "connections", 16, "`number` of connections")
	flag.IntVar(&b.tokens, "tokens", 256, "`number` of different tokens")
	flag.StringVar(&b.alg, "alg", "ES256", "`algorithm` that signs the tokens")
	peers := flag.String("peers", "golang-jwt|auth0", "libraries to measure, a regular `expression`")
	flag.Parse()
	var err error
	if b.peers, err = regexp.Compile(*peers); err != nil {
		log.Fatalf("-peers: %v", err)
	}
	if min(b.rounds, b.turns, b.connections, b.tokens) < 1 || b.chunk <= 0 || flag.NArg() > 0 {
		log.Fatal("all numbers must be more than 0, and there are no arguments")
	}
	if !slices.Contains([]string{"RS256", "PS256", "ES256", "EdDSA"}, b.alg) {
		log.Fatalf("-alg: %q is none of RS256, PS256, ES256, EdDSA", b.alg)
	}
	runtime.GOMAXPROCS(1)
	if err := harness.Pin(1); err != nil {
		log.Printf("processes are not pinned to processors: %v", err)
	}
	began := time.Now()
	if err := b.run(); err != nil {
		log.Fatal(err)
	}
	b.write(os.Stdout)
	fmt.Fprintf(os.Stderr, "%v\n", time.Since(began).Round(time.Second))
}
