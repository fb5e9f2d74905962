package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

type bench struct {
	ctx    context.Context
	rounds int
	count  int // of calls whose allocations are counted
	keep   int // tokens whose memory is measured
	chunk  time.Duration
	peers  *regexp.Regexp
	out    io.Writer
}

// A measured is one case with its results.
type measured struct {
	name      string
	run       func()
	reference func()
	n, refN   int // iterations of a chunk
	allocs    float64
	times     []float64 // nanoseconds an operation
	ratios    []float64
}

// measure runs all cases, interleaved with their references, and writes a table.
func (b *bench) measure(title, reference string, cases []*measured) {
	for _, c := range cases {
		c.n, c.refN = b.iterations(c.run), b.iterations(c.reference)
		c.allocs = allocations(c.run, b.count)
	}
	for range b.rounds {
		rand.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		for _, c := range cases {
			before := perOp(c.reference, c.refN)
			own := perOp(c.run, c.n)
			after := perOp(c.reference, c.refN)
			c.times = append(c.times, own)
			c.ratios = append(c.ratios, own/((before+after)/2))
		}
	}
	slices.SortFunc(cases, func(a, b *measured) int {
		return cmp.Compare(harness.Quartile(a.ratios, 2), harness.Quartile(b.ratios, 2))
	})
	if len(cases) == 0 {
		return
	}
	fmt.Fprintf(b.out, "### %s\n\n| | time | ÷ %s (quartiles) | allocations |\n|---|---|---|---|\n", title, reference)
	for _, c := range cases {
		fmt.Fprintf(b.out, "| %s | %v | %s | %.0f |\n", c.name, time.Duration(harness.Quartile(c.times, 2)).Round(time.Nanosecond), harness.Ratio(c.ratios), c.allocs)
	}
	fmt.Fprintln(b.out)
}

func perOp(f func(), n int) float64 {
	began := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(began)) / float64(n)
}

// iterations returns how often f fits into a chunk.
func (b *bench) iterations(f func()) int {
	for n := 1; ; n *= 2 {
		if d := perOp(f, n) * float64(n); d > float64(b.chunk)/2 {
			return max(1, int(float64(n)*float64(b.chunk)/d))
		}
	}
}

func allocations(f func(), runs int) float64 {
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / uint64(runs))
}

// leftOut returns why a peer is not in a table.
func (b *bench) leftOut(peer, why string) { fmt.Fprintf(b.out, "%s is left out: %s\n\n", peer, why) }
