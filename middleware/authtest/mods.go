package authtest

import "time"

// A Mod changes a token before it is signed.
type Mod struct{ apply func(*draft) }

type draft struct{ header, claims map[string]any }

// Expired makes exp lie in the past.
var Expired = Mod{}

// NotYetValid makes nbf lie in the future.
var NotYetValid = Mod{}

// Without removes a claim.
func Without(claim string) Mod { return Mod{} }

// Claim sets a claim.
func Claim(name string, value any) Mod { return Mod{} }

// Header sets a header member.
func Header(name string, value any) Mod { return Mod{} }

// IssuedBy sets iss.
func IssuedBy(issuer string) Mod { return Mod{} }

// Subject sets sub.
func Subject(sub string) Mod { return Mod{} }

// Scope sets scope.
func Scope(scopes ...string) Mod { return Mod{} }

// Audience sets aud.
func Audience(audience ...string) Mod { return Mod{} }

// Algorithm signs with a key for alg.
func Algorithm(alg string) Mod { return Mod{} }

// ExpiresIn sets exp.
func ExpiresIn(d time.Duration) Mod { return Mod{} }
