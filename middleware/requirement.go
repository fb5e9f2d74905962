package middleware

import (
	"slices"
	"strings"
	"time"
)

// A Requirement is what a route asks of a token beyond being acceptable, for [Bearer.RequireThat]. Every field that is
// set must be met; they are looked at in the order Audiences, Scopes, AnyScope, Allow, ACR and MaxAge.
type Requirement struct {
	// Audiences: aud contains at least one of them, exactly, besides one of the issuer's. Otherwise the token is not
	// for this route: 401 invalid_token.
	Audiences []string

	// Scopes: the token has all of them. Otherwise 403 insufficient_scope, which names those that are scope-tokens (RFC
	// 6749, Section 3.3); a role with a space, say, is compared and not named.
	Scopes []string

	// AnyScope: the token has at least one of them. Otherwise 403 insufficient_scope, which names them likewise.
	AnyScope []string

	// Allow is a predicate over the token. False is 403 insufficient_scope.
	Allow func(tok *Token) bool

	// ACR: the token's acr is one of these, in the order of preference. Otherwise 401
	// insufficient_user_authentication, which names them (RFC 9470, Section 3).
	ACR []string

	// MaxAge: the user authenticated (auth_time) at most this long ago; the clock skew is added. Whole seconds, others
	// are announced rounded up; 0 means any time, and a negative one can't be met. Otherwise, and without auth_time,
	// 401 insufficient_user_authentication (RFC 9470, Section 3).
	MaxAge time.Duration
}

// A route is a Requirement with what is worked out once.
type route struct {
	Requirement
	scope string // for the challenge
}

func newRoute(req Requirement) *route {
	rt := &route{Requirement: req}
	rt.Audiences = slices.Clone(req.Audiences)
	rt.Scopes = slices.Clone(req.Scopes)
	rt.AnyScope = slices.Clone(req.AnyScope)
	rt.ACR = slices.Clone(req.ACR)
	var names []string
	for _, s := range slices.Concat(req.Scopes, req.AnyScope) {
		if isScopeToken(s) && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	rt.scope = strings.Join(names, " ")
	return rt
}

// check returns why tok does not do for the route.
func (rt *route) check(tok *Token, v *Validator) error {
	switch {
	case len(rt.Audiences) > 0 && !slices.ContainsFunc(rt.Audiences, tok.HasAudience):
		return rt.refuse(verdictAudience).withDetail(explainAudience(tok.audience, rt.Audiences, "this route's"))
	case !tok.HasScope(rt.Scopes...),
		len(rt.AnyScope) > 0 && !slices.ContainsFunc(rt.AnyScope, func(s string) bool { return tok.HasScope(s) }):
		return rt.refuse(verdictScope).withDetail(explainScopes(rt, tok))
	case rt.Allow != nil && !rt.Allow(tok):
		return rt.refuse(verdictNotPermitted)
	case len(rt.ACR) > 0 && !slices.Contains(rt.ACR, tok.acr):
		return rt.refuse(verdictACR).withDetail(explainACR(rt, tok))
	case rt.MaxAge != 0 && (rt.MaxAge < 0 || tok.AuthTime().IsZero() ||
		v.now().Sub(tok.AuthTime()) > sum(rt.MaxAge, v.cfg.ClockSkew)):
		return rt.refuse(verdictAuthAge).withDetail(explainAge(rt, tok, v.now()))
	}
	return nil
}

func (rt *route) refuse(v *verdict) *refusal { return &refusal{verdict: v, route: rt} }
