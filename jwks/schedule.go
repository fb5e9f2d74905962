package jwks

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// fetchTimeout bounds one fetch, discovery and key set together, and so the time that anybody waits for it.
	fetchTimeout = 5 * time.Second

	backoffFirst = time.Second
	backoffLast  = time.Minute
)

// start begins a fetch. r.mu is held, no fetch is under way and r is not closed.
func (r *Remote) start(cause string, charged bool) *call {
	c := &call{cause: cause, charged: charged, done: make(chan struct{})}
	r.call = c
	r.tasks.Add(1)
	conditional := r.snapshot.Load() != nil
	go r.run(c, conditional)
	return c
}

// run fetches, detached from whoever asked for it.
func (r *Remote) run(c *call, conditional bool) {
	defer r.tasks.Done()
	began := time.Now()
	r.cfg.OnFetch(FetchEvent{Cause: c.cause, Outcome: "started"})
	ctx, cancel := context.WithTimeout(r.ctx, fetchTimeout)
	f, err := r.fetcher.fetch(ctx, conditional)
	cancel()
	event := r.settle(c, f, err)
	close(c.done)
	event.Cause, event.Duration = c.cause, time.Since(began)
	r.report(event)
}

// settle takes the outcome of a fetch over and plans the next one.
func (r *Remote) settle(c *call, f fetched, err error) FetchEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.call = nil
	r.url = f.url
	switch {
	case r.closed:
		err = errClosed
	case err == nil && f.notModified && r.snapshot.Load() == nil:
		// The set was given up as too old while this was under way. The next request is unconditional.
		err = errors.New("the key set is not modified, but too old")
	}
	if err != nil {
		return r.failed(c, f, err, now)
	}
	event := FetchEvent{URL: f.url, Outcome: "unchanged"}
	if !f.notModified {
		event = r.replace(f)
	}
	r.failures, r.lastErr = 0, nil
	r.fetchedAt = now
	age := min(max(f.maxAge, r.cfg.MinAge), r.cfg.MaxAge)
	r.refreshAt = now.Add(time.Duration(float64(age) * (0.75 + 0.1*rand.Float64())))
	for _, k := range r.snapshot.Load().keys {
		delete(r.wanted.kids, r.misses.sum(k.id))
	}
	if len(r.wanted.kids) > 0 {
		r.fetcher.missedKid()
	}
	r.misses.add(r.wanted.kids, now)
	r.wanted = wanted{}
	r.arm(now)
	r.armStale()
	return event
}

func (r *Remote) failed(c *call, f fetched, err error, now time.Time) FetchEvent {
	err = unavailable(err)
	c.err, r.lastErr = err, err
	r.failures++
	if c.charged {
		r.budget.giveBack()
	}
	wait := backoffLast
	if r.failures < 7 {
		wait = min(backoffLast, backoffFirst<<(r.failures-1))
	}
	r.retryAt = now.Add(time.Duration(float64(wait) * (0.5 + 0.5*rand.Float64())))
	r.arm(now)
	return FetchEvent{URL: f.url, Outcome: "failed", Err: err, Skipped: f.skipped}
}

// replace takes a fetched set over. A key that was there before stays the very same *Key; one that is gone is dropped, and
// whatever was verified with it with it.
func (r *Remote) replace(f fetched) FetchEvent {
	event := FetchEvent{URL: f.url, Outcome: "unchanged", Skipped: f.skipped}
	r.skipped = f.skipped
	old := r.snapshot.Load()
	keys, added, removed := retain(old, f.keys)
	r.snapshot.Store(newSnapshot(keys))
	for _, k := range removed {
		k.drop()
		event.Removed = append(event.Removed, k.id)
	}
	for _, k := range added {
		event.Added = append(event.Added, k.id)
	}
	if len(added)+len(removed) > 0 {
		event.Outcome = "changed"
	}
	return event
}

// retain puts the keys of the old snapshot in place of those that are the same again.
func retain(old *snapshot, fetched []*Key) (keys, added, removed []*Key) {
	var left []*Key
	if old != nil {
		left = slices.Clone(old.keys)
	}
	for _, k := range fetched {
		if i := slices.IndexFunc(left, k.same); i >= 0 {
			k = left[i]
			left = slices.Delete(left, i, i+1)
		} else {
			added = append(added, k)
		}
		keys = append(keys, k)
	}
	return keys, added, left
}

// arm sets the timer for whatever is due next. r.mu is held.
func (r *Remote) arm(now time.Time) {
	r.stop(r.timer)
	if r.closed || r.call != nil {
		return
	}
	at, _ := r.due(now)
	r.timer = r.after(at.Sub(now), r.tick)
}

// due tells what is to be fetched next, and when.
func (r *Remote) due(now time.Time) (time.Time, string) {
	if r.failures > 0 {
		return r.retryAt, "retry"
	}
	if r.wanted.any {
		if at := r.budget.next(now); at.Before(r.refreshAt) {
			return at, "unknown kid"
		}
	}
	return r.refreshAt, "refresh"
}

func (r *Remote) tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.call != nil {
		return
	}
	now := time.Now()
	at, cause := r.due(now)
	if at.After(now) {
		r.arm(now)
		return
	}
	charged := cause == "unknown kid"
	if charged {
		r.budget.take(now)
	}
	r.start(cause, charged)
}

// armStale sets the timer that forgets a set which could not be refreshed for too long.
func (r *Remote) armStale() {
	r.stop(r.stale)
	r.stale = r.after(r.cfg.MaxStale, func() {
		r.mu.Lock()
		age, event := time.Since(r.fetchedAt), FetchEvent{Cause: "too old", Outcome: "given up", URL: r.url, Err: r.lastErr}
		tooOld := !r.closed && age >= r.cfg.MaxStale
		if tooOld {
			event.Removed = r.forget()
		}
		r.mu.Unlock()
		if tooOld {
			r.cfg.Logger.Error("jwks: the key set is too old to be used", "issuer", r.name(), "age", age, "error", event.Err)
			r.cfg.OnFetch(event)
		}
	})
}

// forget gives the whole set up and names its keys. r.mu is held.
func (r *Remote) forget() (kids []string) {
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
