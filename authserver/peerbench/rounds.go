package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

type bench struct {
	rounds, connections int
	chunk, warm         time.Duration
	results             map[string]*result
}

// A result is what was measured for one server, and for peers also ours divided by it.
type result struct {
	runs      []harness.Run
	rate, cpu []float64
}

// run measures all rounds.
func (b *bench) run() error {
	b.results = map[string]*result{}
	for name := range makers {
		b.results[name] = &result{}
	}
	for range b.rounds {
		if err := b.round(); err != nil {
			return err
		}
	}
	return nil
}

// round starts the servers, and lets each peer run between two runs of ours.
func (b *bench) round() error {
	sides := map[string]*side{}
	defer func() {
		for _, s := range sides {
			s.close()
		}
	}()
	for name := range makers {
		s, err := b.newSide(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		sides[name] = s
		if _, err := b.load(s, b.warm); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	before, err := b.measure(sides[ours])
	if err != nil {
		return err
	}
	peers := slices.DeleteFunc(slices.Sorted(maps.Keys(makers)), func(name string) bool { return name == ours })
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	for _, name := range peers {
		own, err := b.measure(sides[name])
		if err != nil {
			return err
		}
		after, err := b.measure(sides[ours])
		if err != nil {
			return err
		}
		r := b.results[name]
		r.rate = append(r.rate, (before.Rate+after.Rate)/2/own.Rate)
		r.cpu = append(r.cpu, (before.CPU+after.CPU)/2/own.CPU)
		before = after
	}
	return nil
}

// A side is a server process and the client's connections to it.
type side struct {
	name   string
	server *harness.Server
	keys   string
	chains []*chain
}

func (b *bench) newSide(name string) (_ *side, err error) {
	s := &side{name: name}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.server, err = harness.Start(name, 0); err != nil {
		return nil, err
	}
	path, err1 := s.server.Ask("path")
	keys, err2 := s.server.Ask("keys")
	list, err3 := s.server.Ask(fmt.Sprintf("grants %d", b.connections))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	s.keys = keys
	var tokens []string
	if err := json.Unmarshal([]byte(list), &tokens); err != nil {
		return nil, err
	}
	for _, token := range tokens {
		c, err := newChain(s.server.Addr, path, token)
		if err != nil {
			return nil, err
		}
		s.chains = append(s.chains, c)
	}
	return s, nil
}

func (s *side) close() {
	for _, c := range s.chains {
		_ = c.conn.Close()
	}
	if s.server != nil {
		_ = s.server.Close()
	}
}

func (b *bench) measure(s *side) (harness.Run, error) {
	r, err := b.load(s, b.chunk)
	if err != nil {
		return r, fmt.Errorf("%s: %w", s.name, err)
	}
	b.results[s.name].runs = append(b.results[s.name].runs, r)
	return r, nil
}

// load refreshes all grants for a while, and then inspects the last answer of each.
func (b *bench) load(s *side, length time.Duration) (harness.Run, error) {
	var clients []func() error
	for _, c := range s.chains {
		clients = append(clients, c.next)
	}
	r, err := s.server.Load(clients, length)
	if err != nil {
		return r, err
	}
	for _, c := range s.chains {
		if err := c.inspect(s.keys); err != nil {
			return r, err
		}
	}
	return r, nil
}

// write writes the table.
func (b *bench) write(w io.Writer) {
	fmt.Fprintf(w, "Refresh grants, ES256, access token and ID token; %d connections; %s, %s/%s, %d processors; medians of %d rounds (quartiles)\n\n",
		b.connections, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.rounds)
	fmt.Fprint(w, "| | requests/s | p50 | p99 | server CPU a request | ours ÷ it, requests/s | ours ÷ it, CPU |\n|---|---|---|---|---|---|---|\n")
	names := slices.Sorted(maps.Keys(b.results))
	for _, name := range names {
		r := b.results[name]
		rate, cpu := "", ""
		if name != ours {
			rate, cpu = harness.Ratio(r.rate), harness.Ratio(r.cpu)
		}
		fmt.Fprintf(w, "| %s | %.0f | %s | %s | %s | %s | %s |\n", name, harness.Median(r.runs, func(r harness.Run) float64 { return r.Rate }),
			harness.Seconds(harness.Median(r.runs, func(r harness.Run) float64 { return r.P50 })),
			harness.Seconds(harness.Median(r.runs, func(r harness.Run) float64 { return r.P99 })),
			harness.Seconds(harness.Median(r.runs, func(r harness.Run) float64 { return r.CPU })), rate, cpu)
	}
}
