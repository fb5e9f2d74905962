package jwks

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

// miss is the slow half of Lookup: the key is not in the snapshot. It waits for the fetch under way, or starts one if that is
// allowed, and looks again.
func (r *Remote) miss(ctx context.Context, kid, alg string) ([]*Key, error) {
	var limit *time.Timer
	for {
		keys, c, ours, err := r.look(kid, alg)
		if c == nil {
			return keys, err
		}
		if limit == nil {
			// One limit for all the rounds, so that nobody waits longer than one fetch may take.
			limit = time.NewTimer(fetchTimeout)
			defer limit.Stop()
		}
		if err := r.wait(ctx, c, limit.C); err != nil {
			return nil, err
		}
		if !ours {
			// The answer may have been under way before the issuer published the key: look again, and ask once more
			// if that is allowed.
			continue
		}
		if s := r.snapshot.Load(); s != nil {
			if keys := s.find(kid, alg); keys != nil {
				return keys, nil
			}
		}
		return nil, notFound(kid)
	}
}

// look answers from the snapshot or returns a fetch to wait for; ours says that it was started for this very kid.
func (r *Remote) look(kid, alg string) (keys []*Key, c *call, ours bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.snapshot.Load()
	if s == nil {
		c, err := r.joinLocked()
		return nil, c, false, err
	}
	if keys := s.find(kid, alg); keys != nil {
		return keys, nil, false, nil
	}
	if err := s.hopeless(kid, alg); err != nil {
		return nil, nil, false, err
	}
	now := time.Now()
	sum := r.misses.sum(kid)
	switch {
	case r.closed:
		return nil, nil, false, errClosed
	case r.misses.fresh(sum, now):
		return nil, nil, false, notFound(kid)
	case r.call != nil:
		return nil, r.call, false, nil
	case r.failures > 0:
		// The issuer could not be asked a moment ago. It will be, at retryAt, without being asked for again.
		return nil, nil, false, unavailable(r.lastErr)
	case !r.budget.take(now):
		// Nobody is made to wait for the budget: that would turn a flood into a heap of waiting requests. The set is at
		// most some seconds old, so "not found" is the truth; and it will be looked for as soon as allowed.
		r.wanted.add(sum)
		r.arm(now)
		return nil, nil, false, notFound(kid)
	}
	r.wanted.add(sum)
	return nil, r.start("unknown kid", true), true, nil
}

// join returns the fetch that will bring the first keys, or says why there is none.
func (r *Remote) join() (*call, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.snapshot.Load() != nil {
		return nil, nil
	}
	return r.joinLocked()
}

func (r *Remote) joinLocked() (*call, error) {
	switch {
	case r.closed:
		return nil, errClosed
	case r.call != nil:
		return r.call, nil
	case r.failures > 0:
		return nil, unavailable(r.lastErr)
	}
	return r.start("first", false), nil
}

var errClosed = fmt.Errorf("%w: closed", ErrUnavailable)

// unavailable says why there are no keys.
func unavailable(cause error) error {
	if errors.Is(cause, ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, cause)
}

// wait waits for a fetch, for the caller's context, and never longer than limit.
func (r *Remote) wait(ctx context.Context, c *call, limit <-chan time.Time) error {
	select {
	case <-c.done:
		if c.err != nil {
			return unavailable(c.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jwks: waiting for the keys: %w", context.Cause(ctx))
	case <-limit:
		return unavailable(errSlow)
	}
}

var errSlow = fmt.Errorf("jwks: no answer within %v", fetchTimeout)

// budget pays for the fetches that unknown kids cause: burst at once, then one in each interval.
type budget struct {
	spent int
	since time.Time // when the last interval began
}

const (
	budgetBurst    = 3
	budgetInterval = 10 * time.Second
)

func (b *budget) take(now time.Time) bool {
	b.refill(now)
	if b.spent >= budgetBurst {
		return false
	}
	b.spent++
	return true
}

// giveBack undoes a take that bought nothing.
func (b *budget) giveBack() { b.spent = max(0, b.spent-1) }

// next is when take will succeed.
func (b *budget) next(now time.Time) time.Time {
	b.refill(now)
	if b.spent < budgetBurst {
		return now
	}
	return b.since.Add(budgetInterval)
}

func (b *budget) refill(now time.Time) {
	n := int64(now.Sub(b.since) / budgetInterval)
	if b.spent == 0 || n >= int64(b.spent) {
		b.spent, b.since = 0, now
		return
	}
	if n > 0 {
		b.spent -= int(n)
		b.since = b.since.Add(time.Duration(n) * budgetInterval)
	}
}

const (
	missesMost = 1024
	missFirst  = 10 * time.Second
	missLast   = 10 * time.Minute
)

// misses remembers kids that a fetch has just not brought, so that one client with a wrong kid does not use up the
// budget. Each time the same kid was looked for in vain it is remembered for twice as long, from 10 s to 10 minutes. It keeps
// hashes under a secret seed and no more than missesMost of them.
type misses struct {
	seed  maphash.Seed
	kids  map[uint64]missed
	ready bool
}

type missed struct {
	until time.Time
	wait  time.Duration
}

func (m *misses) sum(kid string) uint64 {
	if !m.ready {
		m.seed, m.kids, m.ready = maphash.MakeSeed(), map[uint64]missed{}, true
	}
	return maphash.String(m.seed, kid)
}

func (m *misses) fresh(sum uint64, now time.Time) bool { return now.Before(m.kids[sum].until) }

// add notes kids that are not in a set fetched just now.
func (m *misses) add(sums map[uint64]struct{}, now time.Time) {
	if len(m.kids)+len(sums) > missesMost {
		for sum, e := range m.kids {
			// One that ran out long ago need not be remembered even for the length of its next wait.
			if now.Sub(e.until) > e.wait {
				delete(m.kids, sum)
			}
		}
	}
	for sum := range sums {
		e, ok := m.kids[sum]
		if !ok && len(m.kids) >= missesMost {
			for other := range m.kids { // any: the map's order is random
				delete(m.kids, other)
				break
			}
		}
		e.wait = min(max(2*e.wait, missFirst), missLast)
		e.until = now.Add(e.wait)
		m.kids[sum] = e
	}
}

// wanted is the unknown kids that the next fetch is to bring.
type wanted struct {
	any  bool
	kids map[uint64]struct{}
}

func (w *wanted) add(sum uint64) {
	w.any = true
	if w.kids == nil {
		w.kids = map[uint64]struct{}{}
	}
	if len(w.kids) < missesMost {
		w.kids[sum] = struct{}{}
	}
}
