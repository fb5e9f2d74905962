package jwks

import (
	"context"
	"errors"
	"fmt"
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
	if err := s.ruledOut(kid, alg); err != nil {
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
		return nil, nil, false, r.lastErr
	case !r.budget.take(now):
		// Nobody is made to wait for the budget: that would turn a flood into a heap of waiting requests. The set is at
		// most some seconds old, so "not found" is the truth; and it will be looked for as soon as allowed.
		if r.wanted.add(sum) {
			r.arm(now)
		}
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
		return nil, r.lastErr
	}
	return r.start("first", false), nil
}

var errClosed = fmt.Errorf("%w: closed", ErrUnavailable)

// errSlow is for those who have waited for a fetch, or for two, for as long as one may take.
var errSlow = fmt.Errorf("%w: no answer within %v", ErrUnavailable, fetchTimeout)

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
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("jwks: waiting for the keys: %w", context.Cause(ctx))
	case <-limit:
		return errSlow
	}
}
