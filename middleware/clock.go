package middleware

import (
	"sync/atomic"
	"time"
)

// A clock tells the time of day to the hits of the cache, for half the price. [time.Now] reads two clocks of the machine: the
// time of day, and the one that only runs. This reads the second, and adds what has passed to a reading of both that is less
// than a millisecond old. So when the machine's clock is set, a hit may be judged by the old time for a millisecond more. The
// two clocks are not read in the same instant either, so nothing is decided by this one near a boundary, see [verified.stands],
// nor for a token that is new.
type clock struct{ last atomic.Pointer[reading] }

type reading struct {
	at    time.Time
	micro int64
}

// micro is the time in microseconds since 1970.
func (c *clock) micro() int64 {
	if r := c.last.Load(); r != nil {
		if d := time.Since(r.at); uint64(d) < uint64(time.Millisecond) { //nolint:gosec // a negative one is large, too
			return r.micro + int64(d/time.Microsecond)
		}
	}
	now := time.Now()
	r := &reading{at: now, micro: now.UnixMicro()}
	c.last.Store(r)
	return r.micro
}
