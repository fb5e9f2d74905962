package harness

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepUntil sleeps in the kernel: an idle Go program looks at its timers only once a millisecond.
func sleepUntil(due time.Time) {
	for {
		left := time.Until(due)
		if left <= 0 {
			return
		}
		ts := unix.NsecToTimespec(int64(left))
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil) // a signal may cut it short
	}
}
