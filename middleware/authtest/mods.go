package authtest

import (
	"strings"
	"time"
)

// Mod changes a token before it is signed. Mods apply in order.
type Mod struct{ apply func(*draft) }

// draft is a token that is not signed yet.
type draft struct {
	alg    string
	header map[string]any
	claims map[string]any
	now    time.Time
}

var (
	// Expired sets exp one hour into the past, and nbf and iat two hours: more than any reasonable clock skew.
	Expired = Mod{func(d *draft) {
		d.claims["iat"] = d.now.Add(-2 * time.Hour).Unix()
		d.claims["nbf"] = d.claims["iat"]
		d.claims["exp"] = d.now.Add(-time.Hour).Unix()
	}}

	// NotYetValid sets nbf half an hour into the future, and exp an hour.
	NotYetValid = Mod{func(d *draft) {
		d.claims["nbf"] = d.now.Add(30 * time.Minute).Unix()
		d.claims["exp"] = d.now.Add(time.Hour).Unix()
	}}
)

// ExpiresIn sets exp to the given lifetime after the issuer's now.
func ExpiresIn(lifetime time.Duration) Mod {
	return Mod{func(d *draft) { d.claims["exp"] = d.now.Add(lifetime).Unix() }}
}

// Without removes a claim.
func Without(claim string) Mod { return Mod{func(d *draft) { delete(d.claims, claim) }} }

// Claim sets a claim to any value that encoding/json can write. A [json.RawMessage] is written as it is.
func Claim(name string, value any) Mod { return Mod{func(d *draft) { d.claims[name] = value }} }

// Header sets a member of the JOSE header; nil removes it. Setting alg does not change how the token is signed: use
// [Algorithm] for that.
func Header(name string, value any) Mod {
	return Mod{func(d *draft) { d.header[name] = value }}
}

// IssuedBy sets iss. In [NewIssuer] it names the issuer; in a token it makes a token that claims another issuer.
func IssuedBy(issuer string) Mod { return Claim("iss", issuer) }

// Subject sets sub.
func Subject(sub string) Mod { return Claim("sub", sub) }

// Audience sets aud: to a string for one audience, to an array for several.
func Audience(audience ...string) Mod {
	if len(audience) == 1 {
		return Claim("aud", audience[0])
	}
	return Claim("aud", audience)
}

// Scope sets scope, separated by spaces.
func Scope(scopes ...string) Mod { return Claim("scope", strings.Join(scopes, " ")) }

// Algorithm makes the issuer sign with its key for alg: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512
// or EdDSA. It publishes that key from then on.
func Algorithm(alg string) Mod { return Mod{func(d *draft) { d.alg = alg }} }
