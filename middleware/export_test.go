package middleware

import (
	"context"
	"time"
)

// What the tests of parts need to see.

var (
	Quoted       = quoted
	Sanitise     = sanitise
	IsScopeToken = isScopeToken
	IsB64Token   = isB64Token
	AppendScopes = splitScopes
)

// CacheState returns what the cache counts, and how many entries there are.
func (v *Validator) CacheState() (count, size, found int) { return v.cache.State() }

// TableSize returns what the table of the cache takes, in bytes.
func (v *Validator) TableSize() int { return v.cache.TableSize() }

// OccupyVerifications takes all turns to verify a signature, until leave is called.
func (v *Validator) OccupyVerifications() (leave func()) {
	for range cap(v.limit.turns) {
		v.limit.turns <- struct{}{}
	}
	return func() {
		for range cap(v.limit.turns) {
			<-v.limit.turns
		}
	}
}

// Verification takes a turn for as long as a verification takes, and returns how long it waited for it.
func (v *Validator) Verification(takes time.Duration, forged bool) (waited time.Duration) {
	asked := time.Now()
	began, _ := v.limit.enter(context.Background())
	time.Sleep(takes)
	v.limit.leave(began, forged)
	return began.Sub(asked)
}

// Forged is how long forged signatures have taken since the last pause.
func (v *Validator) Forged() time.Duration { return time.Duration(v.limit.forged.Load()) }

// IsCached reports whether a token is in the cache.
func (v *Validator) IsCached(raw string) bool {
	_, found := v.cache.Find(raw)
	return found
}
