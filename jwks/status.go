package jwks

import (
	"errors"
	"log/slog"
	"slices"
	"time"
)

// Status is the state of a [Remote], for a health page or for logs.
type Status struct {
	URL       string        // the key set's address, empty until it is known
	KeyIDs    []string      // the kids of the keys in use
	Skipped   []Skipped     // the keys of the set in use that can't be used, and why
	FetchedAt time.Time     // when the set was last known to be up to date; zero if it never was
	Age       time.Duration // time since FetchedAt
	NextFetch time.Time     // when the next fetch is scheduled; zero if none is
	Failures  int           // how many fetches have failed in a row
	LastError error         // why the last fetch failed; nil if it did not
}

// Status returns the state of the set. It does no I/O and causes none.
func (r *Remote) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{
		URL:       r.url,
		Skipped:   slices.Clone(r.skipped),
		FetchedAt: r.fetchedAt,
		Failures:  r.failures,
		LastError: r.lastErr,
	}
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
		s.NextFetch, _ = r.nextFetch(now)
	}
	return s
}

// FetchEvent describes a fetch, for metrics. There is one event when a fetch starts and one when it has ended. Another
// event shows that the last good set was given up, because it could not be refreshed for MaxStale.
type FetchEvent struct {
	// Cause is "first", "refresh" (the set is about to expire), "retry" (after a failure), "unknown kid" or "too old".
	Cause string

	// Outcome is "started", "changed", "unchanged", "failed" or, for "too old" alone, "given up".
	Outcome string

	URL      string        // the key set's address, as far as it is known
	Duration time.Duration // of the whole fetch
	Err      error         // why it failed; with "given up", why the last fetch did
	Added    []string      // the kids of keys that are new
	Removed  []string      // the kids of keys that are gone
	Skipped  []Skipped     // the keys of the document that can't be used; also set when it failed because no key can
}

const (
	causeFirst      = "first"
	causeRefresh    = "refresh"
	causeRetry      = "retry"
	causeUnknownKID = "unknown kid"
	causeTooOld     = "too old"

	outcomeStarted   = "started"
	outcomeChanged   = "changed"
	outcomeUnchanged = "unchanged"
	outcomeFailed    = "failed"
	outcomeGivenUp   = "given up"
)

// report passes a fetch that has ended to the logger and to OnFetch.
func (r *Remote) report(e FetchEvent) {
	log := r.cfg.Logger.With("issuer", r.name(), "cause", e.Cause, "duration", e.Duration)
	switch e.Outcome {
	case outcomeFailed:
		if errors.Is(e.Err, errClosed) {
			break
		}
		log.Warn("jwks: fetching the keys failed", "error", e.Err)
	case outcomeChanged:
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
