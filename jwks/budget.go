package jwks

import "time"

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
