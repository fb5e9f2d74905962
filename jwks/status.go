package jwks

import (
	"errors"
	"log/slog"
	"slices"
	"time"
)

// Status is what a [Remote] can tell of itself.
type Status struct {
	URL       string        // the key set's address, empty until it is known
	KeyIDs    []string      // the kids of the keys in use
	Skipped   []Skipped     // keys of the set in use that are not used, and why
	FetchedAt time.Time     // when the set was last known to be good; zero if it never was
	Age       time.Duration // time since then
	NextFetch time.Time     // when the next fetch is planned; zero if none is
	Failures  int           // how many fetches have failed one after the other
	LastError error         // why the last fetch failed, nil if it did not
}

// Status tells the state of the set: for a health page, for logs. It does no I/O and causes none.
func (r *Remote) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{URL: r.url, Skipped: slices.Clone(r.skipped), FetchedAt: r.fetchedAt, Failures: r.failures, LastError: r.lastErr}
	if snap := r.snapshot.Load(); snap != nil {
		for _, k := range snap.keys {
			s.KeyIDs = append(s.KeyIDs, k.id)
		}
	}
	now := time.Now()
	if !r.fetchedAt.IsZero() {
		s.Age = now.Sub(r.fetchedAt)
	}
	if !r.closed && r.call == nil && (r.failures > 0 || !r.fetchedAt.IsZero()) {
		s.NextFetch, _ = r.due(now)
	}
	return s
}

// FetchEvent tells of a fetch, for metrics: once when it starts and once when it has ended. One event is not a fetch: the
// last good set is given up because it could not be fetched again for MaxStale.
type FetchEvent struct {
	// Cause is "first", "refresh" (the set is about to run out), "retry" (after a failure), "unknown kid" or "too old".
	Cause string

	// Outcome is "started", "changed", "unchanged", "failed" or, for "too old" alone, "given up".
	Outcome string

	URL      string        // the key set's address, as far as it is known
	Duration time.Duration // of the whole fetch
	Err      error         // why it failed, or the last fetch before the set was given up
	Added    []string      // the kids of keys that are new
	Removed  []string      // the kids of keys that are gone
	Skipped  []Skipped     // keys that the document holds and that are not used, also if that is all of them and it failed
}

// report tells the logger and the hook of a fetch that has ended.
func (r *Remote) report(e FetchEvent) {
	log := r.cfg.Logger.With("issuer", r.name(), "cause", e.Cause, "duration", e.Duration)
	switch e.Outcome {
	case "failed":
		if errors.Is(e.Err, errClosed) {
			break
		}
		log.Warn("jwks: fetching the keys failed", "error", e.Err)
	case "changed":
		log.Info("jwks: the keys have changed", "added", e.Added, "removed", e.Removed, "skipped", len(e.Skipped))
		for _, s := range e.Skipped {
			log.Info("jwks: key skipped", slog.String("kid", s.ID), slog.String("reason", s.Reason))
		}
	default:
		log.Debug("jwks: the keys are unchanged")
	}
	r.cfg.OnFetch(e)
}

func (r *Remote) name() string {
	if r.cfg.Issuer != "" {
		return r.cfg.Issuer
	}
	return r.cfg.URL
}
