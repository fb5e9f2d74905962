package authtest

import (
	"context"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// Accepted mints a token and returns what a Validator with [Issuer.Config] says of it: for tests of functions that are given
// a [*middleware.Token], such as Check, Allow and OnEvent. Whatever its audience is, it is the right one. The test ends at
// once with a token that is refused.
//
// What a Config of your own makes of a token, its ScopeClaims for one, says middleware.NewValidator(cfg).
func (iss *Issuer) Accepted(mods ...Mod) *middleware.Token {
	if iss.tb != nil {
		iss.tb.Helper()
	}
	iss.mu.Lock()
	d := iss.draft(mods...)
	raw := iss.sign(d, iss.key(d.alg))
	document := iss.keySet()
	iss.mu.Unlock()

	cfg := iss.Config(audienceOf(d)...)
	cfg.Issuer.Algorithms = append(cfg.Issuer.Algorithms, d.alg)
	keys, err := jwks.Parse(document)
	iss.must(err)
	cfg.Issuer.Keys = keys // at hand even in an outage
	v, err := middleware.NewValidator(cfg)
	iss.must(err)
	tok, err := v.Validate(context.Background(), raw)
	iss.must(err)
	return tok
}

// Context returns a context with a token of [Issuer.Accepted]: for tests of handlers, and of what they call, without the
// middleware in front.
func (iss *Issuer) Context(ctx context.Context, mods ...Mod) context.Context {
	if iss.tb != nil {
		iss.tb.Helper()
	}
	return middleware.NewContext(ctx, iss.Accepted(mods...))
}

// audienceOf is aud as Audience sets it.
func audienceOf(d *draft) []string {
	switch aud := d.claims["aud"].(type) {
	case string:
		return []string{aud}
	case []string:
		return aud
	}
	return nil
}
