package authserver

import (
	"crypto/sha256"
	"net"
	"sync"
	"time"
)

// Limits of failed logins in one window. The limit of one account from one address comes first. The limit of an account
// alone is high, because otherwise anybody could lock out anybody.
const (
	throttleWindow  = 15 * time.Minute
	throttlePair    = 10
	throttleAddress = 100
	throttleAccount = 100
	throttleEntries = 50_000
)

// throttle counts failed logins in this process. It counts by the name that was entered, so that it does not tell which
// accounts exist.
type throttle struct {
	mu     sync.Mutex
	counts map[string]*failures
}

type failures struct {
	n     int
	until time.Time
}

func newThrottle() *throttle { return &throttle{counts: map[string]*failures{}} }

type limit struct {
	key string
	max int
}

// limits returns the counters of an attempt. Names are hashed, so that long ones take no more memory.
func limits(username, remote string) [3]limit {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = ip.Mask(net.CIDRMask(64, 128)).String() // one customer usually has a whole /64
	}
	sum := sha256.Sum256([]byte(username))
	account := string(sum[:])
	return [3]limit{{"p" + account + host, throttlePair}, {"h" + host, throttleAddress}, {"a" + account, throttleAccount}}
}

// attempt returns 0 and counts an attempt, before the password is checked, so that concurrent ones count as well. Or it
// returns how long this account and address must wait, and counts nothing.
func (t *throttle) attempt(username, remote string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var wait time.Duration
	for _, l := range limits(username, remote) {
		if f := t.counts[l.key]; f != nil && f.n >= l.max {
			wait = max(wait, f.until.Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	if len(t.counts) >= throttleEntries {
		t.evict(now)
	}
	for _, l := range limits(username, remote) {
		f := t.counts[l.key]
		if f == nil || !now.Before(f.until) {
			f = &failures{until: now.Add(throttleWindow)}
			t.counts[l.key] = f
		}
		f.n++
	}
	return 0
}

// succeeded takes the attempt back and resets the counter of this account from this address.
func (t *throttle) succeeded(username, remote string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := limits(username, remote)
	delete(t.counts, all[0].key)
	for _, l := range all[1:] {
		if f := t.counts[l.key]; f != nil && f.n > 0 {
			f.n--
		}
	}
}

// evict removes counters whose window is over and, if that is not enough, any others.
func (t *throttle) evict(now time.Time) {
	for key, f := range t.counts {
		if !now.Before(f.until) {
			delete(t.counts, key)
		}
	}
	for key := range t.counts {
		if len(t.counts) < throttleEntries/2 {
			return
		}
		delete(t.counts, key)
	}
}
