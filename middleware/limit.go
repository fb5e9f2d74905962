package middleware

import (
	"context"
	"sync/atomic"
	"time"
)

// A limit bounds how many signatures are verified at the same time. Verification is the only expensive thing that an
// unauthenticated caller can make this server do. Without a bound, a flood of forged signatures fills the queue of the
// scheduler, and requests whose tokens are cached wait behind it.
type limit struct {
	turns  chan struct{} // nil for no limit
	forged atomic.Int64  // nanoseconds spent on forged signatures since the last pause
}

func (l *limit) init(n int) {
	if n > 0 {
		l.turns = make(chan struct{}, n)
	}
}

// burst is the time spent on forged signatures after which a turn pauses for as long.
//
// While one verification follows the other, a process with one processor hardly looks for new requests: Go's scheduler
// then polls the network only every 10 ms. Requests with cached tokens are served in the pause, and wait for a burst at
// most. A pause halves what a flood can make the server compute, and doubles how long new good tokens wait behind it.
// Where a timer takes a millisecond at least, they wait five times as long; a pause after each forgery would cost them
// twenty times. Good tokens cause no pause. A turn pauses even if nobody waits for it: with one processor, the one who
// would wait has not been read from the network yet.
const burst = 250 * time.Microsecond

// enter waits for a turn. It returns ctx's cause if ctx ends first.
func (l *limit) enter(ctx context.Context) (began time.Time, err error) {
	if l.turns == nil {
		return began, nil
	}
	select {
	case l.turns <- struct{}{}: // also when ctx has ended: who need not wait does not ask
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

// leave ends the turn that began then, perhaps after a pause.
func (l *limit) leave(began time.Time, forged bool) {
	if l.turns == nil {
		return
	}
	if forged {
		took := time.Duration(l.forged.Add(int64(time.Since(began))))
		if took >= burst {
			l.forged.Add(-int64(took))
			time.AfterFunc(min(took, 2*burst), func() { <-l.turns }) // bounded: the machine itself may have been slow
			return
		}
	}
	<-l.turns
}
