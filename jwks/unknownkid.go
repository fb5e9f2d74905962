package jwks

import (
	"context"
	"fmt"
	"time"
)

// lookUpUnknown is the slow half of Lookup: the key is not in the snapshot. It waits for the fetch under way, or starts
// one if that is allowed, and looks again.
func (r *Remote) lookUpUnknown(ctx context.Context, kid, alg string) ([]*Key, error) {
	var limit *time.Timer
	for {
		keys, c, ours, err := r.lookUp(kid, alg)
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
			// That fetch may have begun before the issuer published the key: look again, and fetch once more if that is
			// allowed.
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

// lookUp answers from the snapshot or returns a fetch to wait for; ours is true if that was started for this very kid.
func (r *Remote) lookUp(kid, alg string) (keys []*Key, c *call, ours bool, err error) {
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
	if err := s.ruledOut(kid, alg); err != nil {
		return nil, nil, false, err
	}
	now := time.Now()
	hash := r.unknown.hash(kid)
	switch {
	case r.closed:
		return nil, nil, false, errClosed
	case r.unknown.contains(hash, now):
		return nil, nil, false, notFound(kid)
	case r.call != nil:
		return nil, r.call, false, nil
	case r.failures > 0:
		// The issuer could not be reached a moment ago. The retry at retryAt comes by itself.
		return nil, nil, false, r.lastErr
	case !r.budget.take(now):
		// Nobody waits for the budget: a flood would become a heap of waiting requests. The set is at most some seconds
		// old, so "not found" is the truth, and the kid is fetched for as soon as that is allowed.
		if r.wanted.add(hash) {
			r.schedule(now)
		}
		return nil, nil, false, notFound(kid)
	}
	r.wanted.add(hash)
	return nil, r.start(causeUnknownKID, true), true, nil
}

// join returns the fetch that will bring the first keys, or the reason why there is none.
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
		return nil, r.lastErr
	}
	return r.start(causeFirst, false), nil
}

var (
	errClosed = fmt.Errorf("%w: closed", ErrUnavailable)

	// errSlow is for a caller that has waited for one fetch, or for several, as long as one may take.
	errSlow = fmt.Errorf("%w: no answer within %v", ErrUnavailable, fetchTimeout)
)

// wait waits for a fetch, but no longer than ctx and limit allow.
func (r *Remote) wait(ctx context.Context, c *call, limit <-chan time.Time) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("jwks: waiting for the keys: %w", context.Cause(ctx))
	case <-limit:
		return errSlow
	}
}
