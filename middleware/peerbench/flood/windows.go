package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

type bench struct {
	windows, clients, processors int
	window                       time.Duration
	rate                         float64
}

// A result is the result of one case.
type result struct {
	name        string
	quiet, busy []time.Duration // of all windows
	p50, p99    []float64       // of a busy window, divided by those of the quiet ones before and after
	refused     []float64       // forged tokens a second
}

// measure alternates quiet and busy windows of case number i.
func (b *bench) measure(mode string, i, windows int, f *result) error {
	s, err := b.open(mode, i)
	if err != nil {
		return err
	}
	defer s.close()
	for range 2 { // the token is known then, and the processes are warm
		if _, err := b.probe(s); err != nil {
			return err
		}
	}
	before, err := b.probe(s)
	if err != nil {
		return err
	}
	for range windows {
		stop, err := s.disturb()
		if err != nil {
			return err
		}
		began := time.Now()
		busy, err1 := b.probe(s)
		took := time.Since(began)
		refused, err2 := stop()
		after, err3 := b.probe(s)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		ratio := func(share float64) float64 {
			return 2 * float64(harness.At(busy, share)) / float64(harness.At(before, share)+harness.At(after, share))
		}
		f.p50 = append(f.p50, ratio(0.5))
		f.p99 = append(f.p99, ratio(0.99))
		f.refused = append(f.refused, refused/took.Seconds())
		f.quiet, f.busy = append(f.quiet, after...), append(f.busy, busy...)
		before = after
	}
	return nil
}

func (b *bench) probe(s *setting) ([]time.Duration, error) {
	return harness.Probe(s.clients, b.rate, b.window)
}

// A table has the results of all cases, measured in one way.
type table struct {
	*bench
	mode string
	rows []*result
}

// run measures all cases, a few windows of each in shuffled order, in new processes each time.
func (b *bench) run(mode string) (*table, error) {
	const windows = 5
	t := &table{bench: b, mode: mode}
	order := []int{}
	for i, c := range cases(b.processors) {
		t.rows = append(t.rows, &result{name: c.name})
		order = append(order, i)
	}
	for left := b.windows; left > 0; left -= windows {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			if err := b.measure(mode, i, min(windows, left), t.rows[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", t.rows[i].name, err)
			}
		}
	}
	return t, nil
}

func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "%s: cached tokens at %g/s, %d clients with forged ones; GOMAXPROCS %d of %d processors, %s, %s/%s; medians of %d windows of %v (quartiles), p99.9 of all together\n\n",
		map[string]string{inProcess: "In process", overHTTP: "Over HTTP"}[t.mode], t.rate, t.clients, t.processors, runtime.NumCPU(), runtime.Version(),
		runtime.GOOS, runtime.GOARCH, t.windows, t.window)
	fmt.Fprint(w, "| | forged/s | p50, quiet | flood | ratio | p99, quiet | flood | ratio | p99.9, quiet | flood | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, f := range t.rows {
		slices.Sort(f.quiet)
		slices.Sort(f.busy)
		fmt.Fprintf(w, "| %s | %.0f |", f.name, harness.Quartile(f.refused, 2))
		for _, column := range []struct {
			share  float64
			ratios []float64
		}{{0.5, f.p50}, {0.99, f.p99}, {0.999, nil}} {
			quiet, busy := harness.At(f.quiet, column.share), harness.At(f.busy, column.share)
			ratio := fmt.Sprintf("%.3g", float64(busy)/float64(quiet))
			if column.ratios != nil {
				ratio = harness.Ratio(column.ratios)
			}
			fmt.Fprintf(w, " %v | %v | %s |", quiet.Round(time.Microsecond), busy.Round(time.Microsecond), ratio)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}
