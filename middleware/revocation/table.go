package revocation

import (
	"hash/maphash"
	"maps"
	"sync/atomic"
)

// A table holds the entries. It is read without a lock by any number of goroutines and written by one at a time: a shard is
// never changed, only replaced, so that a poll that brings something new copies a few hundred entries and not all of them.
type table struct {
	seed   maphash.Seed
	size   atomic.Int64
	shards [256]atomic.Pointer[shard]
}

type shard struct {
	until map[string]int64 // when an entry ends, in Unix seconds
	first int64            // the least of them
}

// entry is one revoked session or token.
type entry struct {
	id    string
	until int64
}

func (t *table) index(id string) uint64 { return maphash.String(t.seed, id) % uint64(len(t.shards)) }

// has tells whether id is listed. What is listed and has ended is listed until it is swept out: nothing with that id is good
// any more.
func (t *table) has(id string) bool {
	if t.size.Load() == 0 {
		return false
	}
	_, found := t.shards[t.index(id)].Load().lookup(id)
	return found
}

func (s *shard) lookup(id string) (until int64, found bool) {
	if s == nil {
		return 0, false
	}
	until, found = s.until[id]
	return until, found
}

// add takes entries over that have not ended yet, as long as there are fewer than limit, and tells whether that was all of
// them. An entry that is known already stays until the later of both times.
func (t *table) add(entries []entry, now int64, limit int) (all bool) {
	all = true
	changed := map[uint64]*shard{}
	size := t.size.Load()
	for _, e := range entries {
		if e.until <= now {
			continue
		}
		i := t.index(e.id)
		s := changed[i]
		if s == nil {
			s = t.shards[i].Load()
		}
		until, known := s.lookup(e.id)
		switch {
		case known && until >= e.until:
			continue
		case known:
		case size >= int64(limit):
			all = false
			continue
		default:
			size++
		}
		if changed[i] == nil {
			s = s.clone(e.until)
			changed[i] = s
		}
		s.until[e.id] = e.until
		s.first = min(s.first, e.until)
	}
	for i, s := range changed {
		t.shards[i].Store(s)
	}
	t.size.Store(size)
	return all
}

func (s *shard) clone(first int64) *shard {
	if s == nil {
		return &shard{until: map[string]int64{}, first: first}
	}
	return &shard{until: maps.Clone(s.until), first: s.first}
}

// sweep removes the entries that have ended.
func (t *table) sweep(now int64) {
	for i := range t.shards {
		old := t.shards[i].Load()
		if old == nil || old.first > now {
			continue
		}
		var s *shard // nil when nothing is left
		for id, until := range old.until {
			if until <= now {
				t.size.Add(-1)
				continue
			}
			if s == nil {
				s = (*shard)(nil).clone(until)
			}
			s.until[id] = until
			s.first = min(s.first, until)
		}
		t.shards[i].Store(s)
	}
}
