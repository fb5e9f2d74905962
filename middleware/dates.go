package middleware

import "time"

// The dates of a token.
const (
	expires = iota
	validFrom
	issued
	authenticated
	dateCount
)

// dates holds a token's dates in half the room of as many time.Time: seconds since the zero Time, and nanoseconds.
type dates struct {
	sec  [dateCount]int64
	nsec [dateCount]int32
}

// zeroUnix is the zero Time in seconds since 1970.
const zeroUnix = -62135596800

func (d *dates) set(which int, t time.Time) {
	d.sec[which], d.nsec[which] = t.Unix()-zeroUnix, int32(t.Nanosecond()) //nolint:gosec // below 1e9
}

func (d *dates) at(which int) time.Time {
	return time.Unix(d.sec[which]+zeroUnix, int64(d.nsec[which])).UTC()
}
