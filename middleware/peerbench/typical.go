package peerbench

import (
	"strings"

	"github.com/bearergate/bearergate/middleware/authtest"
)

// TargetOf returns the Target of an API that accepts the tokens of iss, which signs with alg.
func TargetOf(iss *authtest.Issuer, alg string) Target {
	return Target{Issuer: iss.Name(), KeySetURL: iss.Name() + "/jwks.json", Audience: "api1", Algorithm: alg,
		Algorithms: []string{"RS256", "PS256", "ES256", "EdDSA"}, Client: iss.Client()}
}

// Typical returns a token like those in use: the claims of RFC 9068 and some private ones. Its subject is alice.
func Typical(iss *authtest.Issuer, alg string, mods ...authtest.Mod) string {
	return iss.Token(append([]authtest.Mod{authtest.Algorithm(alg), authtest.Audience("api1", "api2"),
		authtest.Scope("openid", "profile", "orders:read", "orders:write"), authtest.Claim("roles", []string{"admin", "user", "auditor"}),
		authtest.Claim("auth_time", 1700000000), authtest.Claim("acr", "urn:example:gold")}, mods...)...)
}

// Forged returns token with a wrong signature that only a verification can detect.
func Forged(token string) string {
	at := len(token) - 40
	other := "A"
	if strings.HasPrefix(token[at:], other) {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}
