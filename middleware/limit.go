package middleware

import (
	"context"
	"sync/atomic"
	"time"
)

// A limit bounds how many signatures are verified at the same time. Verifying is all that an unauthenticated caller can make
// this server compute: without a bound, a flood of forged signatures fills the queue of the scheduler, and requests whose
// tokens are known wait behind it.
type limit struct {
	turns  chan struct{} // nil for no limit
	forged atomic.Int64  // nanoseconds that forged signatures have taken since the last pause
}

func (l *limit) init(n int) {
	if n > 0 {
		l.turns = make(chan struct{}, n)
	}
}

// burst is how long forged signatures may be verified until a turn pauses for as long. As long as one verification follows
// the other, a process with one processor hardly gets to look for new requests (Go's scheduler then polls the network only
// every 10 ms): the pause is when those with known tokens are served, and a burst is what they wait for at most. It halves
// what a flood can make the server compute, and so doubles how long new good tokens wait behind it. Where a timer takes a
// millisecond at least they wait five times as long, and a pause after each forgery would cost them twenty times as much.
// Good tokens make nobody wait. Whether anybody waits for a turn is not asked: with one processor, whoever would wait has not
// come that far.
const burst = 250 * time.Microsecond

// enter waits for a turn. It returns ctx's cause if ctx ends first.
func (l *limit) enter(ctx context.Context) (began time.Time, err error) {
	if l.turns == nil {
		return began, nil
	}
	select {
	case l.turns <- struct{}{}:
		return time.Now(), nil
	default:
	}
	select {
	case l.turns <- struct{}{}:
		return time.Now(), nil
	case <-ctx.Done():
		return began, context.Cause(ctx)
	}
}

// leave gives the turn that began then to the next one, perhaps after a pause.
func (l *limit) leave(began time.Time, forged bool) {
	if l.turns == nil {
		return
	}
	if forged {
		took := time.Since(began)
		if took = time.Duration(l.forged.Add(int64(took))); took >= burst {
			l.forged.Add(-int64(took))
			time.AfterFunc(min(took, 2*burst), func() { <-l.turns }) // bounded, for it may have been the machine that was slow
			return
		}
	}
	<-l.turns
}
