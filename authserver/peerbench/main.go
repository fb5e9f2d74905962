// Command peerbench measures what a refresh costs with package authserver, with zitadel/oidc and with ory/fosite: a
// public client's refresh_token grant with rotation, answered with a JWT access token, an ID token, both signed with
// ES256, and a new refresh token; over loopback HTTP/1.1, all state in memory. Each server is a process of its own on
// one processor, the client on another; 8 connections refresh a grant each, one request after the other.
//
// In every round each peer runs between two runs of ours, in shuffled order and in processes that have just been
// started; the median of the ratios counts, and their quartiles show how reliable it is. It writes Markdown:
//
//	cd authserver/peerbench && go run .
//	go run . -rounds 5 -chunk 200ms
//
// It is a module of its own, so that users of Bearergate do not download the peers.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"time"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("peerbench: ")
	harness.Main(serve)
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 20, "rounds")
	flag.DurationVar(&b.chunk, "chunk", 500*time.Millisecond, "length of one measurement")
	flag.DurationVar(&b.warm, "warm", 100*time.Millisecond, "how long a new process runs before it is measured")
	flag.IntVar(&b.connections, "connections", 8, "connections, each with a grant of its own")
	flag.Parse()
	if min(b.rounds, b.connections) < 1 || b.chunk <= 0 || b.warm < 0 || flag.NArg() > 0 {
		log.Fatal("the numbers have to be more than 0, and there are no other arguments")
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
