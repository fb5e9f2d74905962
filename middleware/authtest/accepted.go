package authtest

import (
	"context"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// Accepted mints a token and returns it as a Validator with [Issuer.Config] does, for tests of functions that take a
// [*middleware.Token], such as Check, Allow and OnEvent. Any audience of the token is accepted. If the token is
// rejected for another reason, the test fails at once.
//
// To see a token through a Config of your own, with its ScopeClaims for example, use middleware.NewValidator(cfg).
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
	cfg.Issuer.Keys = keys // so that it works during an Outage
	v, err := middleware.NewValidator(cfg)
	iss.must(err)
	tok, err := v.Validate(context.Background(), raw)
	iss.must(err)
	return tok
}

// Context returns a copy of ctx with a token of [Issuer.Accepted], for tests of handlers without the middleware in
// front.
func (iss *Issuer) Context(ctx context.Context, mods ...Mod) context.Context {
	if iss.tb != nil {
		iss.tb.Helper()
	}
	return middleware.NewContext(ctx, iss.Accepted(mods...))
}

// audienceOf returns aud as Audience sets it.
func audienceOf(d *draft) []string {
	switch aud := d.claims["aud"].(type) {
	case string:
		return []string{aud}
	case []string:
		return aud
	}
	return nil
}
