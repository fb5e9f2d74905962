package middleware

import (
	"crypto/sha256"
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A cache remembers verified tokens, so that a token that is presented again costs no second verification. A refusal is
// never remembered. It decides nothing but that a text is, byte for byte, one that was verified: whether that still counts
// is asked of the verified token every time, see [verified.stands].
//
// It is a table of sets of eight places. Where a token goes is told by a hash with a seed of this process, so that nobody
// can aim at a set; the hash never decides. Reading takes no lock. Within its bounds, the places that were not used since
// the hand of a clock came by are given up first, so that tokens that are seen once don't drive out the others.
type cache struct {
	entries, bytes int // the most; bytes without the table
	sets           int
	digests        bool
	seed           maphash.Seed
	table          atomic.Pointer[table] // nil until there is something to remember

	mu          sync.Mutex // of those who change something
	count, size int
	hand        int
}

const ways = 8

type table struct {
	sets []cacheSet
	mask uint64
}

// A cacheSet has its tags side by side, in one cache line.
type cacheSet struct {
	tags   [ways]atomic.Uint32
	places [ways]atomic.Pointer[verified]
}

// newCache returns nil for a cache that is off.
func newCache(entries, bytes int, digests bool) *cache {
	if entries == 0 || bytes == 0 {
		return nil
	}
	// The table has half as many places again as there may be tokens, since they are not spread evenly.
	places := min(entries, bytes/leastSize+1)
	sets := 1 << bits.Len(uint(places*3/2/ways))
	bytes -= sets * int(unsafe.Sizeof(cacheSet{}))
	return &cache{entries: entries, bytes: bytes, digests: digests, seed: maphash.MakeSeed(), sets: sets}
}

// leastSize is no more than the size of any verified token: a table need not have room for more of them than that.
const leastSize = 384

// mostRemembered is how many tokens a table is made for, 1.6 GB of it: a larger one might not be had when the first token comes.
const mostRemembered = 1 << 26

// place returns the set and the tag of raw. The end of a token is its signature, of which no two are alike.
func (c *cache) place(t *table, raw string) (*cacheSet, uint32) {
	const tail = 32
	h := maphash.String(c.seed, raw[max(0, len(raw)-tail):])
	return &t.sets[h&t.mask], uint32(h>>32) | 1
}

// find returns the verified token whose text is raw, nil if there is none.
func (c *cache) find(raw string) *verified {
	if c == nil {
		return nil
	}
	t := c.table.Load()
	if t == nil {
		return nil
	}
	set, tag := c.place(t, raw)
	for i := range ways {
		if set.tags[i].Load() != tag {
			continue
		}
		if e := set.places[i].Load(); e != nil && c.is(e, raw) {
			if !e.used.Load() { // or all who present this token would write to one place
				e.used.Store(true)
			}
			return e
		}
	}
	return nil
}

// is reports whether e is raw. The time that it takes tells nothing: it only comes here for a text whose signature has the
// same keyed hash.
func (c *cache) is(e *verified, raw string) bool {
	if c.digests {
		sum := sha256.Sum256(bytesOf(raw))
		return e.rest == string(sum[:])
	}
	n := len(e.head.segment)
	return len(raw) == n+len(e.rest) && raw[n:] == e.rest && raw[:n] == e.head.segment
}

// put remembers e, whose text is raw and which takes cost bytes besides the text, from now on.
func (c *cache) put(e *verified, raw string, cost int, now time.Time) {
	var rest []byte
	if c.digests {
		sum := sha256.Sum256(bytesOf(raw))
		rest = append(rest, sum[:]...)
	} else {
		rest = append(rest, raw[len(e.head.segment):]...) // a copy, or it could keep a whole request alive
	}
	e.rest = stringOf(rest)
	cost += int(unsafe.Sizeof(*e)) + cap(rest)
	if cost > min(c.bytes, math.MaxInt32) {
		return
	}
	e.cost = int32(cost) //nolint:gosec // see above
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.table.Load()
	if t == nil {
		t = &table{sets: make([]cacheSet, c.sets), mask: uint64(c.sets - 1)}
		c.table.Store(t)
	}
	set, tag := c.place(t, raw)
	i := c.victim(set, raw, now)
	c.remove(set, i)
	set.places[i].Store(e)
	set.tags[i].Store(tag)
	c.count++
	c.size += int(e.cost)
	for c.count > c.entries || c.size > c.bytes {
		c.advance(t, now)
	}
}

// victim returns the place in set to be taken: that of the same token, an empty one, one of no more use, one that was not
// used, any.
func (c *cache) victim(set *cacheSet, raw string, now time.Time) int {
	best, rank := 0, 0
	for i := range ways {
		e := set.places[i].Load()
		r := 1
		switch {
		case e == nil:
			r = 3
		case e.spent(now):
			r = 4
		case c.is(e, raw): // verified twice at the same time
			return i
		case !e.used.Load():
			r = 2
		}
		if r > rank {
			best, rank = i, r
		}
	}
	if rank == 1 { // all were used: the next time they must have been used again
		best = c.hand % ways
		for i := range ways {
			set.places[i].Load().used.Store(false)
		}
	}
	return best
}

// advance moves the hand by one place, and gives that place up unless its token was used since the hand came by.
func (c *cache) advance(t *table, now time.Time) {
	c.hand = (c.hand + 1) % (len(t.sets) * ways)
	set, i := &t.sets[c.hand/ways], c.hand%ways
	e := set.places[i].Load()
	if e == nil || e.used.Swap(false) && !e.spent(now) {
		return
	}
	c.remove(set, i)
}

func (c *cache) remove(set *cacheSet, i int) {
	if e := set.places[i].Load(); e != nil {
		set.tags[i].Store(0)
		set.places[i].Store(nil)
		c.count--
		c.size -= int(e.cost)
	}
}
