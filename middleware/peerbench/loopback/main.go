// Command loopback measures what package middleware and its peers cost a server that is asked over loopback HTTP/1.1, against
// a handler without any authentication, to which the same requests are sent, Authorization header and all. Each server is a
// process of its own on one processor, the client on another; 16 connections send tokens that take turns.
//
// In every round the cases come in shuffled order, in processes that have just been started, and each takes turns with the
// handler without authentication; the median of the ratios counts, and their quartiles tell how much to believe it. The
// server's processor time is the steadier figure; requests a second depend on the client, too. It writes Markdown:
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
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // keyfunc reports there
	log.SetOutput(os.Stderr)                                        // which slog has taken over
	log.SetFlags(0)
	log.SetPrefix("loopback: ")
	harness.Main(serve)
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 10, "rounds; each begins with new processes")
	flag.IntVar(&b.turns, "turns", 5, "turns that a case takes in a round")
	flag.DurationVar(&b.chunk, "chunk", 100*time.Millisecond, "length of one measurement")
	flag.IntVar(&b.connections, "connections", 16, "connections")
	flag.IntVar(&b.tokens, "tokens", 256, "tokens that take turns")
	flag.StringVar(&b.alg, "alg", "ES256", "what they are signed with")
	peers := flag.String("peers", "golang-jwt|auth0", "regular expression for the libraries to measure")
	flag.Parse()
	var err error
	if b.peers, err = regexp.Compile(*peers); err != nil {
		log.Fatalf("-peers: %v", err)
	}
	if min(b.rounds, b.turns, b.connections, b.tokens) < 1 || b.chunk <= 0 || flag.NArg() > 0 {
		log.Fatal("the numbers have to be more than 0, and there are no other arguments")
	}
	if !slices.Contains([]string{"RS256", "PS256", "ES256", "EdDSA"}, b.alg) {
		log.Fatalf("-alg: %q is none of RS256, PS256, ES256, EdDSA", b.alg)
	}
	runtime.GOMAXPROCS(1)
	if err := harness.Pin(1); err != nil {
		log.Printf("not pinned to processors of their own: %v", err)
	}
	began := time.Now()
	if err := b.run(); err != nil {
		log.Fatal(err)
	}
	b.write(os.Stdout)
	fmt.Fprintf(os.Stderr, "%v\n", time.Since(began).Round(time.Second))
}
