// Command flood measures how long requests with cached tokens take while other clients send forged signatures as fast as they
// can. Cached tokens arrive at a fixed rate, windows with and without a flood alternate, and the median of the ratios of their
// p99 counts.
//
// It measures in two ways. Over HTTP, three processes share the machine's processors: the server, the flood and the client that
// measures. In process, goroutines of the server call the handler without HTTP, and a request with the cached token is one byte
// over loopback, the call, and one byte back.
//
// Beside the flood with the defaults there are controls: one without [middleware.Config.MaxVerifications]; one in which as many
// goroutines as the default allows do nothing but verify, which is the cost of a busy processor; and golang-jwt, which verifies
// every token. It writes Markdown after about five minutes: without protection, cached tokens are answered long after their
// window.
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
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // keyfunc logs there
	log.SetOutput(os.Stderr)                                        // slog.SetDefault has redirected it
	log.SetFlags(0)
	log.SetPrefix("flood: ")
	harness.Main(serve)
	b := &bench{}
	flag.IntVar(&b.windows, "windows", 40, "`number` of windows with a flood, each between two without")
	flag.DurationVar(&b.window, "window", 200*time.Millisecond, "`length` of a window")
	flag.Float64Var(&b.rate, "rate", 1000, "requests with cached tokens a second, a `number`")
	flag.IntVar(&b.clients, "clients", 64, "`number` of clients that send forged signatures")
	flag.IntVar(&b.processors, "processors", runtime.NumCPU(), "GOMAXPROCS of the server, a `number`")
	over := flag.String("over", "both", "`where` to measure: process, http or both")
	flag.Parse()
	if *over != "both" && *over != inProcess && *over != overHTTP {
		log.Fatalf("-over: %q is neither process, http nor both", *over)
	}
	if min(b.windows, b.clients, b.processors) < 1 || b.window <= 0 || b.rate <= 0 || flag.NArg() > 0 {
		log.Fatal("all numbers must be more than 0, and there are no arguments")
	}
	runtime.GOMAXPROCS(2 * probers)
	began := time.Now()
	for _, mode := range []string{inProcess, overHTTP} {
		if *over != "both" && *over != mode {
			continue
		}
		t, err := b.run(mode)
		if err != nil {
			log.Fatalf("%s: %v", mode, err)
		}
		t.write(os.Stdout)
	}
	fmt.Fprintf(os.Stderr, "%v\n", time.Since(began).Round(time.Second))
}
