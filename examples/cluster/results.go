package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// results counts what the clients see. It may be used concurrently.
type results struct {
	refreshes, doubled, calls               atomic.Int64
	retries, brokenConnections, badGateway  atomic.Int64 // requests of unknown outcome: all, without an answer, with 502
	outageUnavailable, otherUnavailable     atomic.Int64 // 503 during an outage of the store, and otherwise
	lost, rolledBack, forked                atomic.Int64 // grants; rolledBack: lost with writes of the store
	noAnswer                                atomic.Int64 // clients
	rejectedTokens, api503, unansweredCalls atomic.Int64 // at the APIs
	// Revoked grants: all, whose revocation the store lost, and accepted after it.
	revoked, lostRevocations, acceptedAfterRevocation atomic.Int64
	oneTokenWorks, reuseDetected                      atomic.Int64 // grants in the final check
	kills, restarts, activeClients                    atomic.Int64
	storeDown                                         atomic.Bool

	mu               sync.Mutex
	latencies        []time.Duration // of each refresh, with its retries
	directLatencies  []time.Duration // of those without a retry
	revocationDelays []time.Duration // how long after a revocation each API rejected the token
	kids             map[string]bool
	events           map[string]int // by kind, as the nodes print them
	notes            map[string]int
	// lastAnswered is when the latest attempt began that got tokens or an error.
	lastAnswered time.Time
}

// answeredSince reports whether a refresh that was sent after a time has been answered.
func (r *results) answeredSince(at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastAnswered.After(at)
}

// maxNotes limits the number of different notes.
const maxNotes = 20

func newResults() *results {
	return &results{kids: map[string]bool{}, events: map[string]int{}, notes: map[string]int{}}
}

// refreshed records a refresh: its latency with all attempts, when the last one began, and whether that was the first.
func (r *results) refreshed(d time.Duration, attempt time.Time, direct bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if attempt.After(r.lastAnswered) {
		r.lastAnswered = attempt
	}
	r.latencies = append(r.latencies, d)
	if direct {
		r.directLatencies = append(r.directLatencies, d)
	}
}

func (r *results) rejectedAfter(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revocationDelays = append(r.revocationDelays, d)
}

func (r *results) serverError(status int) {
	switch {
	case status != 503:
		r.badGateway.Add(1)
	case r.storeDown.Load():
		r.outageUnavailable.Add(1)
	default:
		r.otherUnavailable.Add(1)
	}
}

func (r *results) sawKey(kid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kids[kid] = true
}

func (r *results) event(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[kind]++
}

// note records a failure in words, up to maxNotes different ones. Notes must not contain tokens.
func (r *results) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := fmt.Sprintf(format, args...); len(r.notes) < maxNotes || r.notes[text] > 0 {
		r.notes[text]++
	}
}

// quantiles returns the median, the 99th percentile and the maximum.
func quantiles(times []time.Duration) (p50, p99, longest time.Duration) {
	if len(times) == 0 {
		return 0, 0, 0
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(hundredths int) time.Duration { return sorted[min(len(sorted)-1, len(sorted)*hundredths/100)] }
	return at(50), at(99), sorted[len(sorted)-1]
}

// ok reports whether the run succeeded. Only a store that may lose writes may end grants that were ahead of it, and
// accept some that were revoked.
func (r *results) ok(mayLose bool) bool {
	if !mayLose && r.rolledBack.Load()+r.lostRevocations.Load() > 0 {
		return false
	}
	failures := r.lost.Load() + r.forked.Load() + r.noAnswer.Load() + r.rejectedTokens.Load() +
		r.unansweredCalls.Load() + r.acceptedAfterRevocation.Load()
	return failures == 0 && r.refreshes.Load() > 0 && r.calls.Load() > 0
}

// print writes the table.
func (r *results) print(w io.Writer, took time.Duration, mayLose bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tab, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	ms := func(times []time.Duration) string {
		p50, p99, longest := quantiles(times)
		return fmt.Sprintf("%v / %v / %v",
			p50.Round(time.Millisecond), p99.Round(time.Millisecond), longest.Round(time.Millisecond))
	}
	fmt.Fprintln(tab)
	row("refreshes", "%d, %.0f per second; %d of them sent twice at once", r.refreshes.Load(),
		float64(r.refreshes.Load())/took.Seconds(), r.doubled.Load())
	row("API calls", "%d", r.calls.Load())
	row("servers killed", "%d", r.kills.Load())
	row("store restarted", "%d", r.restarts.Load())
	row("signing keys seen", "%d", len(r.kids))
	row("retries", "%d: %d after 502, %d after a broken connection, %d after 503 during the outage, %d after another 503",
		r.retries.Load(), r.badGateway.Load(),
		r.brokenConnections.Load(), r.outageUnavailable.Load(), r.otherUnavailable.Load())
	row("replays within the grace", "%d", r.events["refresh.replayed"])
	row("store behind a client", "%d, healed %d", r.events["store.rollback"], r.events["refresh.healed"])
	for _, kind := range slices.Sorted(maps.Keys(r.events)) {
		if !slices.Contains([]string{"refresh.replayed", "store.rollback", "refresh.healed", "cleanup"}, kind) {
			row("event "+kind, "%d", r.events[kind])
		}
	}
	row("refresh latency", "%s (median, 99 %%, maximum)", ms(r.latencies))
	row("  without retries", "%s", ms(r.directLatencies))
	row("503 from APIs", "%d", r.api503.Load())
	row("grants lost", "%d", r.lost.Load())
	if mayLose || r.rolledBack.Load() > 0 {
		row("  lost with writes of the store", "%d", r.rolledBack.Load())
	}
	row("grants forked", "%d", r.forked.Load())
	row("clients without an answer", "%d", r.noAnswer.Load())
	row("access tokens rejected", "%d", r.rejectedTokens.Load())
	row("API calls without an answer", "%d", r.unansweredCalls.Load())
	row("grants revoked", "%d; APIs rejected their tokens after %s, polling every %v",
		r.revoked.Load(), ms(r.revocationDelays), pollInterval)
	if mayLose || r.lostRevocations.Load() > 0 {
		row("  undone with writes of the store", "%d", r.lostRevocations.Load())
	}
	row("accepted after revocation", "%d", r.acceptedAfterRevocation.Load())
	row("exactly one token works", "%d grants; reuse of an old one ended %d",
		r.oneTokenWorks.Load(), r.reuseDetected.Load())
	for _, text := range slices.Sorted(maps.Keys(r.notes)) {
		row("", "%d × %s", r.notes[text], text)
	}
	return tab.Flush()
}
