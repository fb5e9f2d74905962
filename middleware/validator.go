package middleware

import (
	"context"
	"errors"
	"slices"
	"time"
	"unsafe"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware/internal/hits"
)

// A Validator validates access tokens: [Validator.Validate] is the only place where that is done, and [Bearer] is its
// HTTP face. It is safe for concurrent use.
type Validator struct {
	cfg     Config
	issuers []*issuer
	closers []*jwks.Remote
	cache   *hits.Cache[*verified] // nil for none
	limit   limit
}

// NewValidator returns a Validator for cfg. It does no I/O and starts nothing. Its error names every problem of cfg at
// once.
func NewValidator(cfg *Config) (*Validator, error) {
	if cfg == nil || !cfg.made {
		return nil, errNotMade
	}
	v := &Validator{cfg: cfg.clone()}
	if errs := v.cfg.check(); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	v.cache = hits.New(cfg.CacheBytes, (*verified).expired)
	v.limit.init(cfg.MaxVerifications)
	var errs []error
	for _, terms := range v.cfg.issuers() {
		iss, err := v.newIssuer(terms)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		v.issuers = append(v.issuers, iss)
	}
	if len(errs) > 0 {
		_ = v.Close()
		return nil, errors.Join(errs...)
	}
	return v, nil
}

// Validate validates raw, the text of a compact JWT, by the steps that the package documentation lists, and returns its
// claims when it is acceptable. The error otherwise belongs to one class ([ErrInvalidToken], [ErrKeysUnavailable],
// [ErrCheckUnavailable], or the class that Check chose) and wraps the cause; [Reason] gives its stable word.
//
// It does not check whether the token permits what is asked (see [Token.HasScope] and [Bearer.Require]), whether the
// bearer is the one that the token was given to, or whether the token was used before.
//
// When the issuer's keys have to be fetched, Validate waits for them no longer than ctx lives; its error then is
// ErrKeysUnavailable and wraps ctx's.
func (v *Validator) Validate(ctx context.Context, raw string) (*Token, error) {
	accepted, err := v.validate(ctx, raw)
	v.report(ctx, accepted, err)
	if err != nil {
		return nil, err
	}
	return &accepted.token, nil
}

// Ready reports whether the keys of every issuer are at hand, fetching them if need be, for readiness probes.
func (v *Validator) Ready(ctx context.Context) error {
	var errs []error
	for _, iss := range v.issuers {
		if source, ok := iss.Keys.(interface{ Ready(context.Context) error }); ok {
			if err := source.Ready(ctx); err != nil {
				errs = append(errs, refuse(verdictKeysUnavailable).withSubject(iss.Name).withCause(err))
			}
		}
	}
	return errors.Join(errs...)
}

// Close ends what the Validator has running in the background: the key sets that it found by discovery, not those that
// the caller brought. Validate must not be called afterwards.
func (v *Validator) Close() error {
	var errs []error
	for _, r := range v.closers {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

func (v *Validator) now() time.Time { return v.cfg.Now() }

// A verified is a token that was accepted, with what must be asked again each time that it is presented. It never
// changes.
type verified struct {
	token  Token
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

// maxSkew is an estimate of ClockSkew, for eviction alone. With a larger one, a token that is still accepted may be evicted
// early and is then verified again.
const maxSkew = time.Hour

// expired reports whether the token will hardly be accepted again, so that it may be evicted first.
func (a *verified) expired(now time.Time) bool {
	return !a.token.times.expiry.IsZero() && now.After(a.token.times.expiry.Add(maxSkew)) || !a.key.Current()
}

// size returns no less than what the token takes in the cache, in bytes, besides its text.
func (a *verified) size() int { return int(unsafe.Sizeof(*a)-unsafe.Sizeof(a.token)) + a.token.size() }
