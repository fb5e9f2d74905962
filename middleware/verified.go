package middleware

import (
	"context"
	"slices"
	"time"
	"unsafe"

	"github.com/bearergate/bearergate/jwks"
)

// A verified is a token that was accepted, with what must be asked again each time that it is presented. It never changes.
type verified struct {
	token  *Token
	issuer *issuer
	key    *jwks.Key // which verified it
}

// stillValid reports whether the token is as good now as it was when it was verified: not too early, not too late, and
// the key that verified it is still one of the issuer's. When it is not, the token is validated as if it were new.
func (v *Validator) stillValid(ctx context.Context, a *verified) bool {
	return v.checkTimes(a.issuer, &a.token.times, v.now()) == nil &&
		a.key.Current() && (a.issuer.tracksRemoval || a.stillPublished(ctx))
}

// stillPublished asks the issuer's source for the key, as for a new token. Sources of the caller's own can't tell by
// [jwks.Key.Current] that they have dropped a key.
func (a *verified) stillPublished(ctx context.Context) bool {
	keys, err := a.issuer.Keys.Lookup(ctx, a.token.header.KeyID, a.token.header.Algorithm)
	return err == nil && slices.Contains(keys, a.key)
}

// maxSkew is more than anybody's ClockSkew: what is evicted first need not be known exactly.
const maxSkew = time.Hour

// useless reports whether the token will not be accepted again.
func (a *verified) useless(now time.Time) bool {
	return !a.token.times.expiry.IsZero() && now.After(a.token.times.expiry.Add(maxSkew)) || !a.key.Current()
}

// size returns no less than what the token takes in the cache, in bytes, besides its text.
func (a *verified) size() int { return int(unsafe.Sizeof(*a)) + 16 + a.token.size() }
