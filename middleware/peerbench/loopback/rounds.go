package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/bearergate/bearergate/middleware/peerbench"
	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

type bench struct {
	rounds, turns, connections, tokens int
	chunk                              time.Duration
	alg                                string
	peers                              *regexp.Regexp

	names   []string // of the cases, in the order of the table
	results map[string]*result
}

// A result is the result of one case.
type result struct {
	runs      []harness.Run
	rate, cpu []float64 // divided by the runs without authentication before and after, one a turn
}

// run measures all rounds.
func (b *bench) run() error {
	b.names = []string{handlerFunc, handler, uncached}
	for _, peer := range peerbench.Peers() {
		if peer.Name != "Bearergate" && b.peers.MatchString(peer.Name) {
			b.names = append(b.names, peer.Name)
		}
	}
	b.results = map[string]*result{noAuth: {}}
	for _, name := range b.names {
		b.results[name] = &result{}
	}
	for range b.rounds {
		if err := b.round(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) round() error {
	reference, err := b.open(noAuth)
	if err != nil {
		return fmt.Errorf("%s: %w", noAuth, err)
	}
	defer reference.close()
	order := slices.Clone(b.names)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, name := range order {
		if err := b.alternate(reference, name); err != nil {
			return err
		}
	}
	return nil
}

// alternate measures a case and the reference in turns.
func (b *bench) alternate(reference *side, name string) error {
	s, err := b.open(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer s.close()
	if _, err := b.measure(s); err != nil { // it has just been started
		return err
	}
	before, err := b.measure(reference)
	if err != nil {
		return err
	}
	r := b.results[name]
	for range b.turns {
		own, err := b.measure(s)
		if err != nil {
			return err
		}
		after, err := b.measure(reference)
		if err != nil {
			return err
		}
		r.runs = append(r.runs, own)
		r.rate = append(r.rate, own.Rate/((before.Rate+after.Rate)/2))
		r.cpu = append(r.cpu, own.CPU/((before.CPU+after.CPU)/2))
		b.results[noAuth].runs = append(b.results[noAuth].runs, after)
		before = after
	}
	return nil
}

func (b *bench) measure(s *side) (harness.Run, error) {
	r, err := s.server.Load(s.clients, b.chunk)
	if err != nil {
		err = fmt.Errorf("%s: %w", s.name, err)
	}
	return r, err
}

// write writes the tables.
func (b *bench) write(w io.Writer) {
	fmt.Fprintf(w, "%d tokens, %s, in turns on %d connections; %s, %s/%s, %d processors; medians of %d rounds of %d turns (quartiles)\n\n",
		b.tokens, b.alg, b.connections, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.rounds, b.turns)
	fmt.Fprint(w, "| | server CPU a request | ÷ no authentication | requests/s | ÷ no authentication | p50 | p99 |\n|---|---|---|---|---|---|---|\n")
	for _, name := range slices.Concat([]string{noAuth}, b.names) {
		r := b.results[name]
		cpu, rate := "", ""
		if name != noAuth {
			cpu, rate = harness.Ratio(r.cpu), harness.Ratio(r.rate)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %.0f | %s | %s | %s |\n", name, harness.Seconds(harness.Median(r.runs, func(r harness.Run) float64 { return r.CPU })), cpu,
			harness.Median(r.runs, func(r harness.Run) float64 { return r.Rate }), rate,
			harness.Seconds(harness.Median(r.runs, func(r harness.Run) float64 { return r.P50 })), harness.Seconds(harness.Median(r.runs, func(r harness.Run) float64 { return r.P99 })))
	}
	b.against(w)
}

// against writes Bearergate's requests a second divided by each library's.
func (b *bench) against(w io.Writer) {
	mine := []string{handlerFunc, handler, uncached}
	peers := slices.DeleteFunc(slices.Clone(b.names), func(name string) bool { return slices.Contains(mine, name) })
	if len(peers) == 0 {
		return
	}
	fmt.Fprint(w, "\n| requests/s of … ÷ those of … |")
	for _, name := range peers {
		fmt.Fprintf(w, " %s |", name)
	}
	fmt.Fprintf(w, "\n|---|")
	for range peers {
		fmt.Fprint(w, "---|")
	}
	fmt.Fprintln(w)
	for _, own := range mine {
		fmt.Fprintf(w, "| %s |", own)
		for _, peer := range peers {
			var ratios []float64
			for i, rate := range b.results[own].rate {
				ratios = append(ratios, rate/b.results[peer].rate[i])
			}
			fmt.Fprintf(w, " %s |", harness.Ratio(ratios))
		}
		fmt.Fprintln(w)
	}
}
