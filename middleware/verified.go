package middleware

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/bearergate/bearergate/jwks"
)

// A verified is a token whose signature and claims were found in order, with what must be asked again each time that it
// is presented. It never changes, but for one bit, and nobody else sees it: requests get copies.
type verified struct {
	token  Token
	issuer *issuer
	key    *jwks.Key // that verified it

	// It is acceptable at every moment from from on and before until, and at no other one.
	from, until time.Time

	cost   int               // what it takes in memory, in bytes
	raw    string            // the whole token; empty with CacheDigests
	digest [sha256.Size]byte // of the whole token, with CacheDigests

	used atomic.Bool // since the hand of the clock came by

	// Room for what nearly every token has, so that it costs no allocations of its own.
	audience [2]string
	scopes   [6]string
}

// endOfTime is later than any date that a token can have, whatever is added to it.
var endOfTime = time.Unix(1<<40, 0).UTC()

// bound works out from and until. They are judgeTimes solved for now: TestWindow compares the two at every boundary.
func (e *verified) bound(c *claimSet, iss *issuer, skew time.Duration) {
	e.until = endOfTime
	aspnet := iss.Profile == ASPNET
	if c.has&hasNbf != 0 {
		e.from = c.notBefore.Add(-skew)
	}
	if c.has&hasIat != 0 && !aspnet {
		if t := c.issued.Add(-skew); t.After(e.from) {
			e.from = t
		}
	}
	if c.has&hasExp != 0 {
		e.until = c.expiry.Add(skew)
		if aspnet {
			e.until = e.until.Add(1)
		}
	}
	if iss.MaxTokenAge > 0 {
		if t := c.issued.Add(sum(iss.MaxTokenAge, skew)).Add(1); t.Before(e.until) {
			e.until = t
		}
	}
}

// stands reports whether the token is as good now as it was when it was verified: not too early, not too late, and the key
// that verified it is still one of the issuer's. When it does not, the token is judged as if it were new.
func (e *verified) stands(ctx context.Context, now time.Time) bool {
	return !now.Before(e.from) && now.Before(e.until) && e.key.Current() && (e.issuer.tells || e.listed(ctx))
}

// listed asks the issuer's source for the key, as for a new token. Sources of the caller's own can't tell by
// [jwks.Key.Current] that they have dropped a key.
func (e *verified) listed(ctx context.Context) bool {
	keys, err := e.issuer.Keys.Lookup(ctx, e.token.KeyID, e.token.Algorithm)
	if err != nil {
		return false
	}
	for _, key := range keys {
		if key == e.key {
			return true
		}
	}
	return false
}

// size is what the token takes in memory, in bytes.
func (e *verified) size() int {
	n := int(unsafe.Sizeof(*e)) + len(e.raw) + 2*len(e.token.payload) // twice, since strings with escapes are copies
	if cap(e.token.Audience) > len(e.audience) {
		n += cap(e.token.Audience) * int(unsafe.Sizeof(""))
	}
	if cap(e.token.Scopes) > len(e.scopes) {
		n += cap(e.token.Scopes) * int(unsafe.Sizeof(""))
	}
	return n
}
