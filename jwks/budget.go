package jwks

import (
	"hash/maphash"
	"time"
)

const (
	budgetBurst    = 3
	budgetInterval = 10 * time.Second

	maxUnknownKIDs   = 1024
	firstUnknownWait = 10 * time.Second
	laterUnknownWait = 20 * time.Second
)

// budget pays for the fetches that unknown kids cause: budgetBurst at once, then one in each budgetInterval.
type budget struct {
	spent int
	since time.Time // when the last interval began
}

func (b *budget) take(now time.Time) bool {
	b.refill(now)
	if b.spent >= budgetBurst {
		return false
	}
	b.spent++
	return true
}

// giveBack undoes a take that paid for a failed fetch.
func (b *budget) giveBack() { b.spent = max(0, b.spent-1) }

// next returns when take will succeed.
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

// unknownKIDs is the negative cache: the kids that a fetch has just not brought. One client with a wrong kid then does
// not use up the budget. A kid stays for 10 s the first time, and from then on for 20 s, two intervals of the budget.
// It stays no longer, since kids can be guessed: whoever asks for the next kid in advance must not delay the rotation.
// The cache holds at most maxUnknownKIDs hashes, under a secret seed.
type unknownKIDs struct {
	seed  maphash.Seed
	kids  map[uint64]unknownKID
	ready bool
}

type unknownKID struct {
	until time.Time
	wait  time.Duration
}

func (u *unknownKIDs) hash(kid string) uint64 {
	if !u.ready {
		u.seed, u.kids, u.ready = maphash.MakeSeed(), map[uint64]unknownKID{}, true
	}
	return maphash.String(u.seed, kid)
}

func (u *unknownKIDs) contains(hash uint64, now time.Time) bool {
	return now.Before(u.kids[hash].until)
}

// add takes the kids that are not in a set fetched just now.
func (u *unknownKIDs) add(hashes map[uint64]struct{}, now time.Time) {
	if len(u.kids)+len(hashes) > maxUnknownKIDs {
		for hash, e := range u.kids {
			// One that expired long ago is no longer needed for the length of its next wait either.
			if now.Sub(e.until) > e.wait {
				delete(u.kids, hash)
			}
		}
	}
	for hash := range hashes {
		e, ok := u.kids[hash]
		if !ok && len(u.kids) >= maxUnknownKIDs {
			for other := range u.kids { // any: the map's order is random
				delete(u.kids, other)
				break
			}
		}
		e.wait = min(max(2*e.wait, firstUnknownWait), laterUnknownWait)
		e.until = now.Add(e.wait)
		u.kids[hash] = e
	}
}

// wantedKIDs is the unknown kids that the next fetch may bring.
type wantedKIDs struct {
	any  bool
	kids map[uint64]struct{}
}

// add reports whether it is the first.
func (w *wantedKIDs) add(hash uint64) (first bool) {
	first, w.any = !w.any, true
	if w.kids == nil {
		w.kids = map[uint64]struct{}{}
	}
	if len(w.kids) < maxUnknownKIDs {
		w.kids[hash] = struct{}{}
	}
	return first
}
