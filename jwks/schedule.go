package jwks

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// fetchTimeout bounds one fetch, discovery and key set together, and so the time that anybody waits for it.
	fetchTimeout = 5 * time.Second

	firstRetry = time.Second
	lastRetry  = time.Minute
)

// call is one fetch that any number of requests wait for.
type call struct {
	cause   string
	charged bool // the budget for unknown kids has paid for it
	done    chan struct{}
	err     error // set before done is closed
}

// start begins a fetch. r.mu is held, no fetch is under way and r is not closed.
func (r *Remote) start(cause string, charged bool) *call {
	c := &call{cause: cause, charged: charged, done: make(chan struct{})}
	r.call = c
	r.tasks.Add(1)
	conditional := r.snapshot.Load() != nil
	go r.run(c, conditional)
	return c
}

// run fetches, detached from the request that caused it.
func (r *Remote) run(c *call, conditional bool) {
	defer r.tasks.Done()
	began := time.Now()
	r.cfg.OnFetch(FetchEvent{Cause: c.cause, Outcome: outcomeStarted})
	ctx, cancel := context.WithTimeout(r.ctx, fetchTimeout)
	f, err := r.fetcher.fetch(ctx, conditional)
	cancel()
	event := r.applyFetch(c, f, err)
	close(c.done)
	event.Cause, event.Duration = c.cause, time.Since(began)
	r.report(event)
}

// applyFetch makes what a fetch brought the current set and schedules the next one.
func (r *Remote) applyFetch(c *call, f fetched, err error) FetchEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.call = nil
	r.url = f.url
	switch {
	case r.closed:
		err = errClosed
	case err == nil && f.notModified && r.snapshot.Load() == nil:
		// The set became too old and was given up during this fetch. The next request is unconditional.
		err = errors.New("the key set is not modified, but too old")
	}
	if err != nil {
		return r.applyFailure(c, f, err, now)
	}
	event := FetchEvent{URL: f.url, Outcome: outcomeUnchanged}
	if !f.notModified {
		event = r.replace(f)
	}
	r.failures, r.lastErr = 0, nil
	r.fetchedAt = now
	age := min(max(f.maxAge, r.cfg.MinAge), r.cfg.MaxAge)
	r.refreshAt = now.Add(time.Duration(float64(age) * (0.75 + 0.1*rand.Float64())))
	for _, k := range r.snapshot.Load().keys {
		delete(r.wanted.kids, r.unknown.hash(k.id))
	}
	if len(r.wanted.kids) > 0 {
		r.fetcher.kidNotFound()
	}
	r.unknown.add(r.wanted.kids, now)
	r.wanted = wantedKIDs{}
	r.schedule(now)
	r.scheduleStale()
	return event
}

func (r *Remote) applyFailure(c *call, f fetched, err error, now time.Time) FetchEvent {
	err = unavailable(err)
	c.err, r.lastErr = err, err
	r.failures++
	if c.charged {
		r.budget.giveBack()
	}
	wait := lastRetry
	if r.failures < 7 {
		wait = min(lastRetry, firstRetry<<(r.failures-1))
	}
	r.retryAt = now.Add(time.Duration(float64(wait) * (0.5 + 0.5*rand.Float64())))
	r.schedule(now)
	return FetchEvent{URL: f.url, Outcome: outcomeFailed, Err: err, Skipped: f.skipped}
}

// replace makes a fetched set the current one. A key that was there before stays the very same *Key. One that is gone
// is dropped, and with it every cached token that it verified.
func (r *Remote) replace(f fetched) FetchEvent {
	event := FetchEvent{URL: f.url, Outcome: outcomeUnchanged, Skipped: f.skipped}
	r.skipped = f.skipped
	keys, added, removed := retain(r.snapshot.Load(), f.keys)
	r.snapshot.Store(newSnapshot(keys))
	for _, k := range removed {
		k.drop()
		event.Removed = append(event.Removed, k.id)
	}
	for _, k := range added {
		event.Added = append(event.Added, k.id)
	}
	if len(added)+len(removed) > 0 {
		event.Outcome = outcomeChanged
	}
	return event
}

// schedule sets the timer for the next fetch. r.mu is held.
func (r *Remote) schedule(now time.Time) {
	r.stop(r.timer)
	if r.closed || r.call != nil {
		return
	}
	at, _ := r.nextFetch(now)
	r.timer = r.after(at.Sub(now), r.fetchIfDue)
}

// nextFetch returns when the next fetch is due, and its cause.
func (r *Remote) nextFetch(now time.Time) (at time.Time, cause string) {
	if r.failures > 0 {
		return r.retryAt, causeRetry
	}
	if r.wanted.any {
		if at := r.budget.next(now); at.Before(r.refreshAt) {
			return at, causeUnknownKID
		}
	}
	return r.refreshAt, causeRefresh
}

// fetchIfDue is called by the timer.
func (r *Remote) fetchIfDue() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.call != nil {
		return
	}
	now := time.Now()
	at, cause := r.nextFetch(now)
	if at.After(now) {
		r.schedule(now)
		return
	}
	charged := cause == causeUnknownKID
	if charged {
		r.budget.take(now)
	}
	r.start(cause, charged)
}

// scheduleStale sets the timer that gives up a set that could not be refreshed for MaxStale. r.mu is held.
func (r *Remote) scheduleStale() {
	r.stop(r.stale)
	r.stale = r.after(r.cfg.MaxStale, func() {
		r.mu.Lock()
		age := time.Since(r.fetchedAt)
		event := FetchEvent{Cause: causeTooOld, Outcome: outcomeGivenUp, URL: r.url, Err: r.lastErr}
		tooOld := !r.closed && age >= r.cfg.MaxStale
		if tooOld {
			event.Removed = r.giveUp()
		}
		r.mu.Unlock()
		if tooOld {
			r.cfg.Logger.Error("jwks: the key set is too old to be used",
				"issuer", r.name(), "age", age, "error", event.Err)
			r.cfg.OnFetch(event)
		}
	})
}

// giveUp drops the whole set and returns its kids. r.mu is held.
func (r *Remote) giveUp() (kids []string) {
	if s := r.snapshot.Swap(nil); s != nil {
		for _, k := range s.keys {
			k.drop()
			kids = append(kids, k.id)
		}
	}
	return kids
}

// after runs f later, in a goroutine that Close waits for. r.mu is held.
func (r *Remote) after(d time.Duration, f func()) *time.Timer {
	r.tasks.Add(1)
	return time.AfterFunc(max(d, 0), func() { defer r.tasks.Done(); f() })
}

func (r *Remote) stop(t *time.Timer) {
	if t != nil && t.Stop() {
		r.tasks.Done()
	}
}
