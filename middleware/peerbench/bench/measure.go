package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"time"
)

type bench struct {
	ctx    context.Context
	rounds int
	chunk  time.Duration
	peers  *regexp.Regexp
}

// A measured is one case and what was found out about it.
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
		c.allocs = allocations(c.run)
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
	slices.SortFunc(cases, func(a, b *measured) int { return quartile(a.ratios, 2).compare(quartile(b.ratios, 2)) })
	fmt.Printf("### %s\n\n| | time | ÷ %s (quartiles) | allocations |\n|---|---|---|---|\n", title, reference)
	for _, c := range cases {
		fmt.Printf("| %s | %v | **%.3g** (%.3g–%.3g) | %.0f |\n", c.name, time.Duration(quartile(c.times, 2)).Round(time.Nanosecond),
			quartile(c.ratios, 2), quartile(c.ratios, 1), quartile(c.ratios, 3), c.allocs)
	}
	fmt.Println()
}

func perOp(f func(), n int) float64 {
	began := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(began)) / float64(n)
}

// iterations is how often f fits into a chunk.
func (b *bench) iterations(f func()) int {
	for n := 1; ; n *= 2 {
		if d := perOp(f, n) * float64(n); d > float64(b.chunk)/2 {
			return max(1, int(float64(n)*float64(b.chunk)/d))
		}
	}
}

func allocations(f func()) float64 {
	const runs = 200
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / runs)
}

type number float64

func (n number) compare(m number) int {
	switch {
	case n < m:
		return -1
	case n > m:
		return 1
	}
	return 0
}

// quartile returns the first, second (the median) or third quartile of values.
func quartile(values []float64, n int) number {
	sorted := slices.Sorted(slices.Values(values))
	return number(sorted[min(len(sorted)*n/4, len(sorted)-1)])
}
