package jwks

import (
	"hash/maphash"
	"time"
)

const (
	missesMost = 1024
	missFirst  = 10 * time.Second
	missLast   = 20 * time.Second
)

// misses remembers kids that a fetch has just not brought, so that one client with a wrong kid does not use up the
// budget: for 10 s the first time and for 20 s, two intervals of the budget, from then on. No longer, since kids can be
// guessed: whoever has asked for the next one in advance must not keep the rotation from being followed. It keeps
// hashes under a secret seed and no more than missesMost of them.
type misses struct {
	seed  maphash.Seed
	kids  map[uint64]missed
	ready bool
}

type missed struct {
	until time.Time
	wait  time.Duration
}

func (m *misses) sum(kid string) uint64 {
	if !m.ready {
		m.seed, m.kids, m.ready = maphash.MakeSeed(), map[uint64]missed{}, true
	}
	return maphash.String(m.seed, kid)
}

func (m *misses) fresh(sum uint64, now time.Time) bool { return now.Before(m.kids[sum].until) }

// add notes kids that are not in a set fetched just now.
func (m *misses) add(sums map[uint64]struct{}, now time.Time) {
	if len(m.kids)+len(sums) > missesMost {
		for sum, e := range m.kids {
			// One that ran out long ago need not be remembered even for the length of its next wait.
			if now.Sub(e.until) > e.wait {
				delete(m.kids, sum)
			}
		}
	}
	for sum := range sums {
		e, ok := m.kids[sum]
		if !ok && len(m.kids) >= missesMost {
			for other := range m.kids { // any: the map's order is random
				delete(m.kids, other)
				break
			}
		}
		e.wait = min(max(2*e.wait, missFirst), missLast)
		e.until = now.Add(e.wait)
		m.kids[sum] = e
	}
}

// wanted is the unknown kids that the next fetch is to bring.
type wanted struct {
	any  bool
	kids map[uint64]struct{}
}

// add reports whether it is the first.
func (w *wanted) add(sum uint64) (first bool) {
	first, w.any = !w.any, true
	if w.kids == nil {
		w.kids = map[uint64]struct{}{}
	}
	if len(w.kids) < missesMost {
		w.kids[sum] = struct{}{}
	}
	return first
}
