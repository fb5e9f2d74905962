package middleware

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bearergate/bearergate/internal/jws"
	"github.com/bearergate/bearergate/internal/strictjson"
	"github.com/bearergate/bearergate/jwks"
)

// A candidate is a token while it is validated. Until its signature is verified nothing in it is authenticated.
type candidate struct {
	jws.Message
	claims claims
	issuer *issuer
}

// validate is the one way to accept a token. The steps and their order are those of the package documentation. It
// returns the token together with an error when only Check is against it.
func (v *Validator) validate(ctx context.Context, raw string) (*verified, error) {
	// 1. Size. What a stranger sends is bounded before anything is done with it.
	if len(raw) > v.cfg.MaxTokenSize {
		return nil, refuse(verdictTooLarge)
	}
	// 2. Cache. A text that was accepted before has passed the other steps.
	if hit, found := v.cache.Find(raw); found && v.stillValid(ctx, hit) {
		return hit, v.check(ctx, hit)
	}
	c := &candidate{}
	accepted, err := v.verify(ctx, raw, c)
	if err != nil {
		return nil, err.withCandidate(c)
	}
	// 8. The caller's Check.
	return accepted, v.check(ctx, accepted)
}

// verify is steps 1 to 7 for a token that is not cached, which it caches.
func (v *Validator) verify(ctx context.Context, raw string, c *candidate) (*verified, *refusal) {
	// 1. Form, 3. header.
	var err error
	if c.Message, err = jws.Parse(raw); err != nil {
		return nil, refuseForm(err)
	}
	if r := v.checkHeader(&c.Header); r != nil {
		return nil, r
	}
	// 4. Claims: an expired token is refused here, before any key is looked up.
	if r := c.claims.parse(c.Payload); r != nil {
		return nil, r
	}
	now := v.now()
	if r := v.checkClaims(c, now); r != nil {
		return nil, r
	}
	// 5. Key.
	keys, r := v.findKeys(ctx, c)
	if r != nil {
		return nil, r
	}
	// 6. Signature.
	key, r := v.verifySignature(ctx, c, keys)
	if r != nil {
		return nil, r
	}
	// 7. Required claims.
	accepted := &verified{issuer: c.issuer, key: key}
	if r := c.fill(&accepted.token); r != nil {
		return nil, r
	}
	if c.claims.present&hasCnf == 0 { // what is bound to a key needs its proof with every request
		v.cache.Put(raw, accepted, accepted.size(), now)
	}
	return accepted, nil
}

// refuseForm translates what package jws found.
func refuseForm(err error) *refusal {
	verdict := verdictMalformed
	switch {
	case errors.Is(err, jws.ErrHeader):
		verdict = verdictHeader
	case errors.Is(err, jws.ErrKeyID):
		verdict = verdictKeyID
	case errors.Is(err, jws.ErrCritical):
		verdict = verdictCritical
	}
	return refuse(verdict).withDetail(err.Error)
}

// checkHeader rejects what no issuer may use; checkClaims asks again, for the one issuer.
func (v *Validator) checkHeader(h *jws.Header) *refusal {
	if !slices.ContainsFunc(v.issuers, func(iss *issuer) bool { return iss.allowsAlgorithm(h.Algorithm) }) {
		return refuse(verdictAlgorithm).withSubject(h.Algorithm)
	}
	if !slices.ContainsFunc(v.issuers, func(iss *issuer) bool { return iss.acceptsType(h) }) {
		return refuse(verdictType).withSubject(h.Type)
	}
	return nil
}

// checkClaims finds the issuer and applies its rules to what is not authenticated yet.
func (v *Validator) checkClaims(c *candidate, now time.Time) *refusal {
	if c.claims.present&hasIss == 0 {
		return refuse(verdictNoIssuer)
	}
	iss := v.issuerNamed(c.claims.iss)
	if iss == nil {
		return refuse(verdictIssuer).withDetail(explainIssuer(c.claims.iss, v.issuers))
	}
	c.issuer = iss
	if !iss.allowsAlgorithm(c.Header.Algorithm) {
		return refuse(verdictAlgorithm).withSubject(c.Header.Algorithm)
	}
	if !iss.acceptsType(&c.Header) {
		return refuse(verdictType).withSubject(c.Header.Type)
	}
	lifetime, audience := v.checkTimes(iss, &c.claims.times, now), checkAudience(iss, &c.claims)
	switch {
	case lifetime != nil && (iss.rules.lifetimeFirst || audience == nil):
		return lifetime
	case audience != nil:
		return audience
	case c.claims.present&hasCnf != 0 && !v.cfg.AllowUnprovenBinding:
		return refuse(verdictBound)
	}
	return nil
}

func (v *Validator) issuerNamed(name string) *issuer {
	for _, iss := range v.issuers {
		if iss.Name == name {
			return iss
		}
	}
	return nil
}

// checkAudience demands one of ours among aud.
func checkAudience(iss *issuer, c *claims) *refusal {
	if c.present&hasAud == 0 {
		return refuse(verdictNoAudience).withDetail(func() string {
			return "aud is missing, requires one of this server's " + quoteList(iss.Audiences)
		})
	}
	if !slices.ContainsFunc(c.aud, iss.hasAudience) {
		return refuse(verdictAudience).withDetail(explainAudience(c.aud, iss.Audiences, "this server's"))
	}
	return nil
}

// maxKeys bounds the verifications for one token: an issuer may publish several keys under one kid.
const maxKeys = 8

// findKeys returns the keys that may verify the token.
func (v *Validator) findKeys(ctx context.Context, c *candidate) ([]*jwks.Key, *refusal) {
	keys, err := c.issuer.Keys.Lookup(ctx, c.Header.KeyID, c.Header.Algorithm)
	switch {
	case err == nil && len(keys) > 0:
	case err == nil, errors.Is(err, jwks.ErrKeyNotFound):
		return nil, refuse(verdictUnknownKey).withSubject(c.Header.KeyID).withCause(err)
	case ctx.Err() != nil:
		return nil, refuse(verdictCancelled).withCause(err)
	default:
		return nil, refuse(verdictKeysUnavailable).withCause(err)
	}
	keys = keys[:min(len(keys), maxKeys)]
	unfit := func(key *jwks.Key) bool { return !key.Fits(c.Header.Algorithm) }
	if slices.ContainsFunc(keys, unfit) { // a source of the caller's own may return such keys
		if keys = slices.DeleteFunc(slices.Clone(keys), unfit); len(keys) == 0 {
			return nil, refuse(verdictUnfitKey).withSubject(c.Header.KeyID)
		}
	}
	return keys, nil
}

// verifySignature returns the key that verifies the token. It waits for its turn no longer than ctx lives.
func (v *Validator) verifySignature(ctx context.Context, c *candidate, keys []*jwks.Key) (*jwks.Key, *refusal) {
	began, err := v.limit.enter(ctx)
	if err != nil {
		return nil, refuse(verdictCancelled).withCause(err)
	}
	for _, key := range keys {
		if key.Verify(c.Header.Algorithm, c.Input, c.Signature) == nil {
			v.limit.leave(began, false)
			return key, nil
		}
	}
	v.limit.leave(began, true)
	return nil, refuse(verdictSignature)
}

// fill checks the claims that must be there and fills in the Token.
func (c *candidate) fill(token *Token) *refusal {
	iss, cl := c.issuer, &c.claims
	for i, name := range claimNames {
		if missing := iss.required &^ cl.present; missing&(1<<i) != 0 {
			return refuse(verdictMissing).withSubject(name)
		}
	}
	if iss.rules.notEmpty && (cl.sub == "" || cl.clientID == "" || cl.jti == "") {
		return refuse(verdictMissing).withSubject("sub, client_id or jti")
	}
	for _, name := range iss.otherRequired {
		if value, found := strictjson.Find(cl.payload, name); !found || value.Raw() == "null" {
			return refuse(verdictMissing).withSubject(name)
		}
	}
	var scopes []string
	for _, path := range iss.ScopeClaims {
		value := cl.scope
		switch path {
		case "scope":
		case "scp":
			value = cl.scp
		default:
			var found bool
			if value, found = strictjson.Find(cl.payload, path); found && !isStrings(value) {
				return refuse(verdictClaimType).withSubject(path)
			}
		}
		scopes = appendScopes(scopes, value)
	}
	clientID := cl.clientID
	if cl.present&hasClientID == 0 {
		clientID = cl.azp
	}
	*token = Token{
		payload: cl.payload, header: c.Header, issuer: iss.Name, subject: cl.sub, clientID: clientID, id: cl.jti, acr: cl.acr,
		audience: slices.Clip(cl.aud), scopes: slices.Clip(scopes), times: cl.times,
	}
	return nil
}

// check asks the caller.
func (v *Validator) check(ctx context.Context, accepted *verified) error {
	if v.cfg.Check == nil {
		return nil
	}
	err := v.cfg.Check(ctx, &accepted.token)
	if err == nil {
		return nil
	}
	class := classOf(err)
	if class == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		class = ErrCheckUnavailable // it ran out of time: that says nothing about the token
	}
	verdict := verdictCheck
	switch class {
	case ErrCheckUnavailable:
		verdict = verdictCheckUnavailable
	case ErrInsufficientScope:
		verdict = verdictNotPermitted
	case ErrInsufficientAuthentication:
		verdict = verdictACR
	case ErrKeysUnavailable:
		verdict = verdictKeysUnavailable
	}
	return refuse(verdict).withCause(err)
}
