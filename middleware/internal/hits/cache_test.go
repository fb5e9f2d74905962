package hits_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/internal/hits"
)

var now = time.Unix(1_700_000_000, 0)

// text is as long as a token, and ends like one: with what differs.
func text(n int) string { return strings.Repeat("x", 500) + fmt.Sprintf("%032d", n) }

func never(int, time.Time) bool { return false }

func TestFind(t *testing.T) {
	c := hits.New(1<<20, never)
	_, found := c.Find(text(1))
	assert.False(t, found, "an empty cache")
	c.Put(text(1), 1, 100, now)
	c.Put(text(2), 2, 100, now)
	c.Put(text(2), 3, 100, now)
	for n, want := range map[int]int{1: 1, 2: 3} {
		got, found := c.Find(text(n))
		assert.True(t, found)
		assert.Equal(t, want, got)
	}
	for _, other := range []string{"", text(3), text(1)[1:], text(1) + "x", "y" + text(1)[1:]} {
		_, found := c.Find(other)
		assert.False(t, found, "%q", other)
	}
	count, _, places := c.State()
	assert.Equal(t, []int{2, 2}, []int{count, places}, "a text has one entry")
}

func TestNoCache(t *testing.T) {
	c := hits.New(0, never)
	assert.Nil(t, c)
	c.Put(text(1), 1, 100, now)
	_, found := c.Find(text(1))
	assert.False(t, found)
}

func TestAnEntryLargerThanTheCache(t *testing.T) {
	c := hits.New(10_000, never)
	c.Put(text(1), 1, 20_000, now)
	_, found := c.Find(text(1))
	assert.False(t, found)
}

// Whatever is put in and asked for, the bound holds and every entry is counted.
func TestBounds(t *testing.T) {
	for _, bytes := range []int{2_000, 20_000, 200_000} {
		c := hits.New(bytes, never)
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that can be repeated
		for range 2000 {
			n := random.IntN(300)
			if got, found := c.Find(text(n)); found {
				require.Equal(t, n, got)
				continue
			}
			c.Put(text(n), n, 50+n, now)
			count, size, places := c.State()
			require.Equal(t, places, count)
			require.LessOrEqual(t, size, bytes)
		}
	}
}

// When the cache is full, values that are of no more use go first, then those that were not asked for.
func TestEviction(t *testing.T) {
	expired := map[int]bool{}
	c := hits.New(60_000, func(n int, _ time.Time) bool { return expired[n] })
	for n := range 40 {
		c.Put(text(n), n, 200, now)
		expired[n] = n%2 == 1
	}
	kept := func(n int) bool { _, found := c.Find(text(n)); return found }
	for n := 40; n < 400; n++ {
		for used := 0; used < 40; used += 8 {
			kept(used) // asked for again and again
		}
		c.Put(text(n), n, 200, now)
	}
	for n := 1; n < 40; n += 2 {
		assert.False(t, kept(n), "%d has expired", n)
	}
	survivors := 0
	for used := 0; used < 40; used += 8 {
		if kept(used) {
			survivors++
		}
	}
	assert.GreaterOrEqual(t, survivors, 4, "of 5 that are in use, beside 360 that came once")
}
