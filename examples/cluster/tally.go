package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts. All of it may be used concurrently.
type tally struct {
	refreshes, doubled, calls         atomic.Int64
	retries, transport, gateway       atomic.Int64 // requests of unknown outcome: sent again; broken off; 502
	unavailable, unavailableFine      atomic.Int64 // 503 while the store was away, and while it was not
	lost, rolledBack, forked, stuck   atomic.Int64
	refused, api503, unanswered       atomic.Int64
	revoked, undone, late             atomic.Int64 // sessions that were ended; whose end the store forgot; that the APIs or the servers go on with
	kills, restarts, onlyOne, thieves atomic.Int64
	going                             atomic.Int64 // clients that still do
	storeAway                         atomic.Bool

	mu     sync.Mutex
	times  []time.Duration // of each refresh, as the client saw it
	clean  []time.Duration // of those that were answered at once
	ends   []time.Duration // how long after a revocation each API refused the session's token
	kids   map[string]bool
	events map[string]int // of the nodes
	said   map[string]int
	// answered is when the latest attempt began that got an answer: tokens or a refusal.
	answered time.Time
}

// answeredSince tells whether a refresh that was sent after a moment has been answered, one way or the other.
func (t *tally) answeredSince(at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.answered.After(at)
}

// maxSaid bounds what is said about single failures.
const maxSaid = 20

func newTally() *tally {
	return &tally{kids: map[string]bool{}, events: map[string]int{}, said: map[string]int{}}
}

// took notes a refresh: how long it took with all its attempts, when the last one began, and whether it was the first.
func (t *tally) took(d time.Duration, attempt time.Time, clean bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if attempt.After(t.answered) {
		t.answered = attempt
	}
	t.times = append(t.times, d)
	if clean {
		t.clean = append(t.clean, d)
	}
}

func (t *tally) refusedAfter(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ends = append(t.ends, d)
}

func (t *tally) server(status int) {
	switch {
	case status != 503:
		t.gateway.Add(1)
	case t.storeAway.Load():
		t.unavailable.Add(1)
	default:
		t.unavailableFine.Add(1)
	}
}

func (t *tally) signedWith(kid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kids[kid] = true
}

func (t *tally) event(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events[kind]++
}

// say keeps a few sentences about what went wrong. They hold no token.
func (t *tally) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := fmt.Sprintf(format, args...); len(t.said) < maxSaid || t.said[text] > 0 {
		t.said[text]++
	}
}

// quantiles are the median, the 99th of a hundred and the longest.
func quantiles(times []time.Duration) (p50, p99, longest time.Duration) {
	if len(times) == 0 {
		return 0, 0, 0
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(hundredths int) time.Duration { return sorted[min(len(sorted)-1, len(sorted)*hundredths/100)] }
	return at(50), at(99), sorted[len(sorted)-1]
}
