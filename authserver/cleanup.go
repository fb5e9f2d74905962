package authserver

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	sweepBatch = 200
	sweepEvery = time.Minute
	sweepPause = 20 * time.Millisecond // between batches, so that requests get their turn
)

// Run deletes what has expired, in batches of 200, about once a minute, until ctx is done. It returns ctx's error. Any
// number of processes may run it over one store. Without it expired rows stay; they only take space.
func (s *Server) Run(ctx context.Context) error {
	timer := time.NewTimer(s.sweepDelay())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		n, err := s.sweep(ctx)
		if n > 0 {
			s.event(ctx, Event{Kind: "cleanup", Count: n})
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "cleanup failed, will retry", "error", err)
		}
		timer.Reset(s.sweepDelay())
	}
}

// sweepDelay is random, so that several processes do not sweep at the same moment.
func (s *Server) sweepDelay() time.Duration {
	return sweepEvery/2 + rand.N(sweepEvery) //nolint:gosec // nobody gains by guessing it
}

func (s *Server) sweep(ctx context.Context) (total int, err error) {
	for {
		n, err := s.cfg.Store.Sweep(ctx, s.now(), sweepBatch)
		total += n
		if err != nil || n < sweepBatch {
			return total, err
		}
		select {
		case <-ctx.Done():
			return total, ctx.Err()
		case <-time.After(sweepPause):
		}
	}
}
