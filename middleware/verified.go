package middleware

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// A verified is a token whose signature and claims were found in order, with what must be asked again each time that it
// is presented. It never changes, but for one bit, and fills one cache line: a hit reads that and the text. What requests
// share is its Token, which lies apart, so that whoever keeps one does not keep the text.
type verified struct {
	rest string       // the token's text behind the header segment; its digest with CacheDigests
	head *knownHeader // the header segment, and the key that verified the token

	// It is acceptable at every moment from from on and before until, in microseconds since 1970, rounded to the inside:
	// in the microsecond of a boundary it is judged as if it were new.
	from, until int64

	token  *Token
	issuer *issuer
	cost   int32       // what it takes in memory, in bytes
	used   atomic.Bool // since the hand of the clock came by
}

// bound works out from and until. They are judgeTimes solved for now: TestRememberedTokensAreJudgedAlike compares the two at
// every boundary.
func (e *verified) bound(c *claimSet, iss *issuer, skew time.Duration) {
	e.from, e.until = math.MinInt64, math.MaxInt64
	aspnet := iss.Profile == ASPNET
	if c.has&hasNbf != 0 {
		e.from = ceilMicro(c.notBefore.Add(-skew))
	}
	if c.has&hasIat != 0 && !aspnet {
		e.from = max(e.from, ceilMicro(c.issued.Add(-skew)))
	}
	if c.has&hasExp != 0 {
		e.until = c.expiry.Add(skew).UnixMicro()
	}
	if iss.MaxTokenAge > 0 {
		e.until = min(e.until, c.issued.Add(sum(iss.MaxTokenAge, skew)).UnixMicro())
	}
}

func ceilMicro(t time.Time) int64 {
	if t.Nanosecond()%1000 != 0 {
		return t.UnixMicro() + 1
	}
	return t.UnixMicro()
}

// clockMargin is how near to a boundary, in microseconds, the time of day itself is read.
const clockMargin = 1e6

// stands reports whether the token is as good now as it was when it was verified: not too early, not too late, and the key
// that verified it is still one of the issuer's. When it does not, the token is judged as if it were new.
func (e *verified) stands(ctx context.Context, v *Validator) bool {
	now := v.micro()
	if now-clockMargin < e.from || now+clockMargin >= e.until {
		now = v.now().UnixMicro()
		if now < e.from || now >= e.until {
			return false
		}
	}
	return e.head.key.Current() && (e.issuer.tells || e.listed(ctx))
}

// listed asks the issuer's source for the key, as for a new token. Sources of the caller's own can't tell by
// [jwks.Key.Current] that they have dropped a key.
func (e *verified) listed(ctx context.Context) bool {
	keys, err := e.issuer.Keys.Lookup(ctx, e.head.header.kid, e.head.header.alg)
	if err != nil {
		return false
	}
	for _, key := range keys {
		if key == e.head.key {
			return true
		}
	}
	return false
}

// spent reports whether the token will not be accepted any more.
func (e *verified) spent(now time.Time) bool {
	return now.UnixMicro() > e.until || !e.head.key.Current()
}
