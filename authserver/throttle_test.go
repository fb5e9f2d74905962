package authserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// The table of counters is not visible from outside, so this test is inside the package.

func TestThrottleIsBounded(t *testing.T) {
	th := newThrottle()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range throttleEntries {
		th.attempt(fmt.Sprint("user", i), fmt.Sprintf("198.51.%d.%d:1", i/250%250, i%250), now)
	}
	assert.LessOrEqual(t, len(th.counts), throttleEntries+3)
	th.evict(now.Add(throttleWindow))
	assert.Empty(t, th.counts, "what has run out goes first")
}

func TestThrottleLimits(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	attempts := func(n int, username, remote func(i int) string) (wait time.Duration) {
		th := newThrottle()
		for i := range n {
			wait = th.attempt(username(i), remote(i), now)
		}
		return wait
	}
	same := func(s string) func(int) string { return func(int) string { return s } }
	each := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	for _, row := range []struct {
		name             string
		n                int
		username, remote func(int) string
		want             time.Duration
	}{
		{"ten of one account from one address", 10, same("alice"), same("192.0.2.1:1"), 0},
		{"eleven of one account from one address", 11, same("alice"), same("192.0.2.1:1"), throttleWindow},
		{"another port is the same address", 11, same("alice"), each("192.0.2.1:%d"), throttleWindow},
		{"a /64 is one address", 11, same("alice"), each("[2001:db8::%d]:1"), throttleWindow},
		{"a hundred of many accounts from one address", 100, each("user%d"), same("192.0.2.1:1"), 0},
		{"one more", 101, each("user%d"), same("192.0.2.1:1"), throttleWindow},
		{"a hundred of one account from many addresses", 100, same("alice"), each("192.0.2.%d:1"), 0},
		{"one more from another", 101, same("alice"), each("192.0.2.%d:1"), throttleWindow},
	} {
		assert.Equal(t, row.want, attempts(row.n, row.username, row.remote), row.name)
	}
}
