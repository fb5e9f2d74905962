package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// ok is the verdict. A store that is set up so that it may forget may end sessions that were ahead of it and go on with
// some that were revoked; nothing else may.
func (t *tally) ok(mayLose bool) bool {
	if !mayLose && t.rolledBack.Load()+t.undone.Load() > 0 {
		return false
	}
	return t.lost.Load()+t.forked.Load()+t.stuck.Load()+t.refused.Load()+t.unanswered.Load()+t.late.Load() == 0 && t.refreshes.Load() > 0 && t.calls.Load() > 0
}

// print writes the table.
func (t *tally) print(w io.Writer, took time.Duration, mayLose bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tab, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	ms := func(times []time.Duration) string {
		p50, p99, longest := quantiles(times)
		return fmt.Sprintf("%v / %v / %v", p50.Round(time.Millisecond), p99.Round(time.Millisecond), longest.Round(time.Millisecond))
	}
	fmt.Fprintln(tab)
	row("refreshes", "%d, %.0f a second; %d of them sent twice at once", t.refreshes.Load(), float64(t.refreshes.Load())/took.Seconds(), t.doubled.Load())
	row("API calls", "%d", t.calls.Load())
	row("servers killed", "%d", t.kills.Load())
	row("store restarted", "%d", t.restarts.Load())
	row("signing keys seen", "%d", len(t.kids))
	row("sent again", "%d: after 502 %d, broken off %d, 503 %d while the store was away and %d otherwise", t.retries.Load(), t.gateway.Load(),
		t.transport.Load(), t.unavailable.Load(), t.unavailableFine.Load())
	row("answered in the grace", "%d", t.events["refresh.replayed"])
	row("store found behind", "%d, healed %d", t.events["store.rollback"], t.events["refresh.healed"])
	for _, kind := range slices.Sorted(maps.Keys(t.events)) {
		if !slices.Contains([]string{"refresh.replayed", "store.rollback", "refresh.healed", "cleanup"}, kind) {
			row("event "+kind, "%d", t.events[kind])
		}
	}
	row("a refresh took", "%s (median, 99 %%, longest)", ms(t.times))
	row("  if answered at once", "%s", ms(t.clean))
	row("503 of an API", "%d", t.api503.Load())
	row("sessions lost", "%d", t.lost.Load())
	if mayLose || t.rolledBack.Load() > 0 {
		row("  lost with the store's writes", "%d", t.rolledBack.Load())
	}
	row("sessions forked", "%d", t.forked.Load())
	row("sessions without answer", "%d", t.stuck.Load())
	row("access tokens refused", "%d", t.refused.Load())
	row("API calls unanswered", "%d", t.unanswered.Load())
	row("sessions revoked", "%d; the APIs refused their tokens after %s, asking every %v", t.revoked.Load(), ms(t.ends), feedInterval)
	if mayLose || t.undone.Load() > 0 {
		row("  undone with the store's writes", "%d", t.undone.Load())
	}
	row("revoked and going on", "%d", t.late.Load())
	row("one token works", "%d sessions; an old one ended the session as it should: %d", t.onlyOne.Load(), t.thieves.Load())
	for _, text := range slices.Sorted(maps.Keys(t.said)) {
		row("", "%d × %s", t.said[text], text)
	}
	return tab.Flush()
}
