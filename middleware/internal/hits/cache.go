// Package hits is the cache of verified tokens: a token that is presented again costs no second verification.
package hits

import (
	"hash/maphash"
	"math"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A Cache maps the texts of verified tokens to what their verification found. It decides nothing but that a text is,
// byte for byte, one that was put in; whether the token is still valid is the caller's question at every hit. A nil
// Cache holds nothing. It is safe for concurrent use, and reading takes no lock.
//
// It is a table of sets of eight places. A hash with a seed of this process chooses the set, so that nobody can aim at
// one; the hash never decides. When the cache is full, entries that were not used since the hand of a clock passed them
// are evicted first, so that tokens that are presented once do not displace the others.
type Cache[V any] struct {
	bytes   int // the bound, without the table
	sets    int
	expired func(V, time.Time) bool
	seed    maphash.Seed
	table   atomic.Pointer[table[V]] // nil until the first entry

	mu          sync.Mutex // held by writers
	count, size int
	hand        int
}

const ways = 8

type table[V any] struct {
	sets []set[V]
	mask uint64
}

// A set has its tags side by side, in one cache line.
type set[V any] struct {
	tags   [ways]atomic.Uint32
	places [ways]atomic.Pointer[entry[V]]
}

type entry[V any] struct {
	text  string
	value V
	size  int
	used  atomic.Bool // since the hand passed
}

// MaxBytes is the largest bound of a Cache: its table is allocated at once, when the first token comes.
const MaxBytes = 64 << 30

// usualSize is what a small token takes, in bytes: the table has room for as many of them as the bound allows, and half
// as many again, since they are not spread evenly.
const usualSize = 1024

// New returns a Cache whose entries take at most that many bytes together with its table, nil for 0. expired reports
// whether a value will never be of use again; it is called under a lock and must not call the Cache.
func New[V any](bytes int, expired func(V, time.Time) bool) *Cache[V] {
	if bytes == 0 {
		return nil
	}
	places := bytes/usualSize + 1
	sets := 1 << bits.Len(uint(places*3/2/ways))
	left := bytes - sets*int(unsafe.Sizeof(set[V]{}))
	return &Cache[V]{bytes: left, sets: sets, expired: expired, seed: maphash.MakeSeed()}
}

// place returns the set and the tag of a text. The end of a token is its signature, of which no two are alike.
func (c *Cache[V]) place(t *table[V], text string) (*set[V], uint32) {
	const tail = 32
	h := maphash.String(c.seed, text[max(0, len(text)-tail):])
	return &t.sets[h&t.mask], uint32(h>>32) | 1
}

// Find returns the value that was put in for text.
func (c *Cache[V]) Find(text string) (value V, found bool) {
	if c == nil {
		return value, false
	}
	t := c.table.Load()
	if t == nil {
		return value, false
	}
	set, tag := c.place(t, text)
	for i := range ways {
		if set.tags[i].Load() != tag {
			continue
		}
		// The time that the comparison takes reveals nothing: only a text whose signature has the same keyed hash comes
		// here.
		if e := set.places[i].Load(); e != nil && e.text == text {
			if !e.used.Load() { // an unconditional store would make all processors that present this token share a cache line
				e.used.Store(true)
			}
			return e.value, true
		}
	}
	return value, false
}

// Put adds the value of text, which takes size bytes besides the text. A value that does not fit is not added.
func (c *Cache[V]) Put(text string, value V, size int, now time.Time) {
	if c == nil {
		return
	}
	text = strings.Clone(text) // or it could keep a whole request alive
	e := &entry[V]{text: text, value: value, size: size + rounded(len(text)) + rounded(int(unsafe.Sizeof(entry[V]{})))}
	if e.size > min(c.bytes, math.MaxInt32) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.table.Load()
	if t == nil {
		t = &table[V]{sets: make([]set[V], c.sets), mask: uint64(c.sets - 1)}
		c.table.Store(t)
	}
	set, tag := c.place(t, text)
	i := c.evictable(set, text, now)
	c.remove(set, i)
	set.places[i].Store(e)
	set.tags[i].Store(tag)
	c.count++
	c.size += e.size
	for c.size > c.bytes {
		c.advance(t, now)
	}
}

// rounded is no less than what the allocator takes for n bytes.
func rounded(n int) int { return n + n/6 + 16 }

// evictable returns the place in set to be taken: that of the same text, of an expired value, an empty one, one that
// was not used, any.
func (c *Cache[V]) evictable(set *set[V], text string, now time.Time) int {
	best, rank := 0, 0
	for i := range ways {
		e := set.places[i].Load()
		r := 1
		switch {
		case e == nil:
			r = 3
		case e.text == text: // verified twice at the same time
			return i
		case c.expired(e.value, now):
			r = 4
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

// advance moves the hand by one place, and evicts what is there unless it was used since the hand passed before.
func (c *Cache[V]) advance(t *table[V], now time.Time) {
	c.hand = (c.hand + 1) % (len(t.sets) * ways)
	set, i := &t.sets[c.hand/ways], c.hand%ways
	e := set.places[i].Load()
	if e == nil || e.used.Swap(false) && !c.expired(e.value, now) {
		return
	}
	c.remove(set, i)
}

func (c *Cache[V]) remove(set *set[V], i int) {
	if e := set.places[i].Load(); e != nil {
		set.tags[i].Store(0)
		set.places[i].Store(nil)
		c.count--
		c.size -= e.size
	}
}

// State returns how many entries the cache counts, the bytes that it counts for them and its table, and how many there
// are. It is for tests.
func (c *Cache[V]) State() (count, size, found int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.table.Load(); t != nil {
		for s := range t.sets {
			for i := range ways {
				if t.sets[s].places[i].Load() != nil {
					found++
				}
			}
		}
	}
	return c.count, c.size + c.TableSize(), found
}

// TableSize returns what the table takes, in bytes.
func (c *Cache[V]) TableSize() int { return c.sets * int(unsafe.Sizeof(set[V]{})) }
