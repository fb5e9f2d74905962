package middleware

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bearergate/bearergate/jwks"
)

// A dossier is what is known about one token while it is judged. Until its signature is verified all of it is hearsay.
type dossier struct {
	header  header
	claims  claimSet
	issuer  *issuer
	alg     *algorithm
	skipped error // what Check said when it could not decide and CheckFailOpen let the token pass
	cost    int   // what remembering it takes in memory, in bytes
}

// recall is step 2: what is known of raw if the same text was verified before and still stands, nil otherwise. What is
// known has passed step 1, too.
func (v *Validator) recall(ctx context.Context, raw string) *verified {
	if e := v.cache.find(raw); e != nil && e.stands(ctx, v) {
		return e
	}
	return nil
}

// judge is the one way through the validator, with e from recall. The steps and their order are those of the package
// documentation. It returns the token together with an error when only the verdict of Check or of a route is against it.
func (v *Validator) judge(ctx context.Context, raw string, e *verified, c *dossier) (*Token, error) {
	if e != nil {
		c.issuer = e.issuer
		return e.token, v.check(ctx, c, e.token)
	}
	// 1. Size.
	if len(raw) > v.cfg.MaxTokenSize {
		return nil, errTooLarge
	}
	// 1. Form.
	head, body, seal, ok := split(raw)
	if !ok {
		return nil, errMalformed
	}
	known := v.headers.find(head)
	var text string
	if known == nil {
		buffer := make([]byte, decodedLen(head))
		if !decode(buffer, head) {
			return nil, errMalformed
		}
		text = stringOf(buffer)
	}
	payload := append([]byte{}, make([]byte, decodedLen(body))...) // whose capacity says what it really takes
	if !decode(payload, body) {
		return nil, errMalformed
	}
	var room [512]byte
	signature := room[:0]
	if n := decodedLen(seal); n <= len(room) {
		signature = signature[:n]
	} else {
		signature = make([]byte, n)
	}
	if !decode(signature, seal) {
		return nil, errMalformed
	}
	// 3. Header.
	if known != nil {
		c.header = known.header
	} else {
		if err := c.header.parse(text); err != nil {
			return nil, err
		}
		if err := v.judgeHeader(&c.header); err != nil {
			return nil, err
		}
	}
	// 4. Payload.
	if err := c.claims.parse(stringOf(payload)); err != nil {
		return nil, err
	}
	now := v.now()
	if err := v.judgeClaims(c, now); err != nil {
		return nil, err
	}
	// 5. Key, 6. signature.
	key, err := v.judgeSignature(ctx, c, raw[:len(head)+1+len(body)], signature)
	if err != nil {
		return nil, err
	}
	if known == nil || known.key != key { // another key may have the same kid
		known = v.headers.put(head, &c.header, key)
		c.cost += known.size()
	}
	// 7. What the profile wants besides.
	tok, err := c.fill(&known.header)
	if err != nil {
		return nil, err
	}
	if v.cache != nil && c.claims.has&hasCnf == 0 { // what is bound to a key needs its proof with every request
		e = &verified{head: known, token: tok, issuer: c.issuer}
		e.bound(&c.claims, c.issuer, v.cfg.ClockSkew)
		v.cache.put(e, raw, c.cost+cap(payload)+tok.size(), now)
	}
	// 8. The caller.
	return tok, v.check(ctx, c, tok)
}

// judgeHeader refuses what no issuer may use; judgeClaims asks again, for the one issuer.
func (v *Validator) judgeHeader(h *header) error {
	if !slices.ContainsFunc(v.issuers, func(iss *issuer) bool { return iss.algorithm(h.alg) != nil }) {
		return v.refuseFor(verdictAlgorithm, h.alg)
	}
	if !slices.ContainsFunc(v.issuers, func(iss *issuer) bool { return iss.acceptsType(h) }) {
		return v.refuseFor(verdictType, h.typ)
	}
	return nil
}

func (v *Validator) judgeClaims(c *dossier, now time.Time) error {
	if c.claims.has&hasIss == 0 {
		return v.noted(refuse(verdictNoIssuer), &c.claims)
	}
	for _, iss := range v.issuers {
		if iss.Name == c.claims.iss {
			c.issuer = iss
		}
	}
	iss := c.issuer
	if iss == nil {
		r := v.noted(refuse(verdictIssuer).about(c.claims.iss), &c.claims)
		if slices.ContainsFunc(v.issuers, func(i *issuer) bool {
			return strings.TrimSuffix(i.Name, "/") == strings.TrimSuffix(c.claims.iss, "/")
		}) {
			r.cause = errTrailingSlash
		}
		return r
	}
	if c.alg = iss.algorithm(c.header.alg); c.alg == nil {
		return v.refuseFor(verdictAlgorithm, c.header.alg)
	}
	if !iss.acceptsType(&c.header) {
		return v.refuseFor(verdictType, c.header.typ)
	}
	if iss.Profile == ASPNET { // which looks at the lifetime first
		if r := v.judgeTimes(iss, &c.claims, now); r != nil {
			return r
		}
	}
	if r := v.judgeAudience(iss, &c.claims); r != nil {
		return r
	}
	if iss.Profile != ASPNET {
		if r := v.judgeTimes(iss, &c.claims, now); r != nil {
			return r
		}
	}
	if c.claims.has&hasCnf != 0 && !v.cfg.AllowUnprovenBinding {
		return refuse(verdictBound)
	}
	return nil
}

// errTrailingSlash is for the log of whoever configured the issuer (RFC 8414 §3.3: simple string comparison).
var errTrailingSlash = errors.New("it differs only by a trailing slash from one that is configured")

// maxKeys bounds the verifications for one token: a token without kid fits every key of its type.
const maxKeys = 8

// judgeSignature returns the key that verifies the token.
func (v *Validator) judgeSignature(ctx context.Context, c *dossier, input string, signature []byte) (*jwks.Key, error) {
	keys, err := c.issuer.Keys.Lookup(ctx, c.header.kid, c.header.alg)
	switch {
	case err == nil && len(keys) > 0:
	case err == nil:
		return nil, v.noted(refuse(verdictUnknownKey).about(c.header.kid), &c.claims)
	case errors.Is(err, jwks.ErrKeyNotFound):
		return nil, v.noted(refuse(verdictUnknownKey).about(c.header.kid).because(err), &c.claims)
	case ctx.Err() != nil:
		return nil, refuse(verdictCancelled).because(err)
	default:
		return nil, refuse(verdictKeysUnavailable).because(err)
	}
	var room [maxKeys]*jwks.Key
	fitting := room[:0]
	for _, key := range keys[:min(len(keys), maxKeys)] {
		if c.alg.fits(key.Public()) {
			fitting = append(fitting, key)
		}
	}
	if len(fitting) == 0 {
		return nil, v.refuseFor(verdictUnfitKey, c.header.kid)
	}
	began, err := v.limit.enter(ctx)
	if err != nil {
		return nil, refuse(verdictCancelled).because(err)
	}
	for _, key := range fitting {
		if c.alg.verify(input, signature, key.Public()) == nil {
			v.limit.leave(began, false)
			return key, nil
		}
	}
	v.limit.leave(began, true)
	return nil, v.refuseFor(verdictSignature, "")
}

// check asks the caller.
func (v *Validator) check(ctx context.Context, c *dossier, tok *Token) error {
	if v.cfg.Check == nil {
		return nil
	}
	err := v.cfg.Check(ctx, tok)
	if err == nil {
		return nil
	}
	class := classOf(err)
	if class == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		class = ErrCheckUnavailable // it ran out of time: that says nothing of the token
	}
	switch {
	case class == ErrCheckUnavailable && v.cfg.CheckFailOpen:
		c.skipped = err
		return nil
	case class == ErrCheckUnavailable:
		return refuse(verdictCheckUnavailable).because(err)
	case class == ErrInsufficientScope:
		return refuse(verdictNotPermitted).because(err)
	case class == ErrInsufficientAuthentication:
		return refuse(verdictACR).because(err)
	case class == ErrKeysUnavailable:
		return refuse(verdictKeysUnavailable).because(err)
	}
	return refuse(verdictCheck).because(err)
}

// refuseFor is a refusal about subject, in the words of the configured profile.
func (v *Validator) refuseFor(verdict *verdict, subject string) *refusal {
	r := refuse(verdict).about(subject)
	if v.cfg.Profile == ASPNET {
		r.words = aspnetWords(verdict, nil)
	}
	return r
}

// fill is step 7: the claims that must be there, and the Token.
func (c *dossier) fill(head *header) (*Token, error) {
	iss, cl := c.issuer, &c.claims
	if missing := iss.required &^ cl.has; missing != 0 {
		for _, name := range claimNames {
			if claimBits[name]&missing != 0 {
				return nil, refuse(verdictMissing).about(name)
			}
		}
	}
	if iss.Profile == RFC9068 && (cl.sub == "" || cl.clientID == "" || cl.jti == "") {
		return nil, refuse(verdictMissing).about("sub, client_id or jti")
	}
	for _, name := range iss.others {
		if val, ok := find(cl.text, name); !ok || val.raw == "null" {
			return nil, refuse(verdictMissing).about(name)
		}
	}
	var room [12]string
	names := stringsOf(room[:0], cl.aud, false)
	audience := len(names)
	for _, path := range iss.ScopeClaims {
		var val value
		switch path {
		case "scope":
			val = cl.scope
		case "scp":
			val = cl.scp
		default:
			var ok bool
			if val, ok = find(cl.text, path); ok && !isStrings(val) {
				return nil, refuse(verdictClaimType).about(path)
			}
		}
		names = stringsOf(names, val, true)
	}
	tok := &Token{
		payload: cl.text, header: head, issuer: iss.Name, subject: cl.sub, clientID: cl.clientID, id: cl.jti, acr: cl.acr,
		names: slices.Clone(names), audience: int32(audience), //nolint:gosec // no more than the token has characters
	}
	if cl.has&hasClientID == 0 {
		tok.clientID = cl.azp
	}
	for which, at := range [...]time.Time{expires: cl.expiry, validFrom: cl.notBefore, issued: cl.issued, authenticated: cl.authTime} {
		tok.dates.set(which, at) // the zero Time for none
	}
	return tok, nil
}
