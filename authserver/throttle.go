package authserver

import (
	"crypto/sha256"
	"net"
	"sync"
	"time"
)

// Limits of failed logins. Those of one account from one address bite first; those of an account alone are high, because
// otherwise anyone could lock anyone out.
const (
	throttleWindow  = 15 * time.Minute
	throttlePair    = 10
	throttleAddress = 100
	throttleAccount = 100
	throttleEntries = 50_000
)

// throttle counts failed logins in this process. It knows accounts by the name that was typed, known or not, so that it
// tells nothing about which exist.
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

// limits names the counters of an attempt. Names are hashed, so that long ones take no more room than short ones.
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

// attempt counts an attempt before the password is looked at, so that concurrent ones are counted as well, and returns 0; or it
// returns how long this account and address have to wait, and counts nothing.
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
		t.forget(now)
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

// succeeded takes the attempt back, and forgets the failures of this account from this address.
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

// forget makes room: what has run out goes, and if that is not enough, whatever comes first.
func (t *throttle) forget(now time.Time) {
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
