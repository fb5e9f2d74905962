package middleware

import "context"

// A limit bounds how many signatures are verified at the same time. Verifying is all that an unauthenticated caller can make
// this server compute: without a bound, a flood of forged signatures fills the queue of the scheduler, and requests whose
// tokens are known wait behind it.
type limit chan struct{}

// newLimit returns nil, which is no limit, for 0.
func newLimit(n int) limit {
	if n == 0 {
		return nil
	}
	return make(limit, n)
}

// enter waits for its turn. It returns ctx's cause if ctx ends first.
func (l limit) enter(ctx context.Context) error {
	if l == nil {
		return nil
	}
	select {
	case l <- struct{}{}:
		return nil
	default:
	}
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l limit) leave() {
	if l != nil {
		<-l
	}
}
