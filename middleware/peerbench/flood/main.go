// Command flood measures what becomes of requests with known tokens while others send forged signatures without a pause: how
// much of the flood's work stands in their way. Known tokens come at a fixed rate, windows with and without a flood alternate,
// and the median of the ratios of their p99 counts.
//
// There are two worlds. Over HTTP, the server, who floods it and who measures are three processes, and share the machine's
// processors. In process, the flood is calls of the handler by goroutines of the server, without HTTP, and a known token is
// one byte that arrives over loopback, the call, and one byte back.
//
// Beside the flood on the defaults there are controls: without [middleware.Config.MaxVerifications]; with as many goroutines
// that do nothing but verify as the default lets verify, which is what a busy processor costs; and golang-jwt, which verifies
// every token. It writes Markdown, after some five minutes: where nothing protects them, known tokens are answered long after
// their window.
//
//	cd middleware/peerbench && go run ./flood
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // keyfunc reports there
	log.SetOutput(os.Stderr)                                        // which slog has taken over
	log.SetFlags(0)
	log.SetPrefix("flood: ")
	harness.Main(serve)
	b := &bench{}
	flag.IntVar(&b.windows, "windows", 40, "windows with a flood, each between two without")
	flag.DurationVar(&b.window, "window", 200*time.Millisecond, "length of a window")
	flag.Float64Var(&b.rate, "rate", 1000, "requests with known tokens, a second")
	flag.IntVar(&b.clients, "clients", 64, "clients that send forged signatures")
	flag.IntVar(&b.processors, "processors", runtime.NumCPU(), "GOMAXPROCS of the server")
	over := flag.String("over", "both", "process, http or both")
	flag.Parse()
	if *over != "both" && *over != inProcess && *over != overHTTP {
		log.Fatalf("-over: %q is neither process, http nor both", *over)
	}
	if min(b.windows, b.clients, b.processors) < 1 || b.window <= 0 || b.rate <= 0 || flag.NArg() > 0 {
		log.Fatal("the numbers have to be more than 0, and there are no other arguments")
	}
	runtime.GOMAXPROCS(2 * probers)
	began := time.Now()
	for _, world := range []string{inProcess, overHTTP} {
		if *over != "both" && *over != world {
			continue
		}
		t, err := b.run(world)
		if err != nil {
			log.Fatalf("%s: %v", world, err)
		}
		t.write(os.Stdout)
	}
	fmt.Fprintf(os.Stderr, "%v\n", time.Since(began).Round(time.Second))
}
