package middleware

import (
	"time"

	"github.com/bearergate/bearergate/jwks"
)

// An Issuer is one authorization server whose tokens are accepted, and on which terms. Make it with [NewIssuer], which
// fills in the defaults; the first one is embedded in [Config] and made by [NewConfig].
//
// A token is routed to its issuer by its iss claim, by exact comparison, before any key is touched: the keys of one
// issuer never verify a token of another one.
type Issuer struct {
	// Name is the issuer identifier (RFC 8414 §2), compared with iss byte for byte. Required.
	// It is an https URL; http is fine on loopback hosts, elsewhere only with [Config.AllowInsecureHTTP].
	Name string

	// Audiences are the names of this resource server. A token is accepted when its aud (a string or an array of
	// strings) contains at least one of them, exactly. Required: a resource server without a name would accept tokens
	// meant for others (RFC 8725 §3.9).
	Audiences []string

	// Algorithms is the allow-list of signature algorithms (RFC 8725 §3.1). NewIssuer sets RS256, PS256, ES256 and
	// EdDSA; RS384, RS512, PS384, PS512, ES384 and ES512 are possible as well. none and HS256, HS384, HS512 are
	// refused by the constructor: with a shared secret every resource server could mint tokens for all the others.
	Algorithms []string

	// Types are the acceptable values of the header's typ, compared without regard to case and to a leading
	// "application/"; "" stands for a header without typ. Nil means what the Profile says.
	Types []string

	// Profile is the set of rules that the tokens of this issuer obey. The zero value is [Default].
	Profile Profile

	// RequiredClaims are names of claims that must be present and not null, besides those that the Profile requires.
	RequiredClaims []string

	// ScopeClaims say where scopes are found; the values of all of them are united in [Token.Scopes]. An entry is the
	// name of a top-level claim or, when it begins with a slash, a JSON Pointer (RFC 6901), for example
	// "/realm_access/roles" or "/resource_access/api1/roles" for Keycloak's roles. The claim may be a string, which is
	// divided at spaces, or an array of strings, which is not. NewIssuer sets "scope" and "scp".
	ScopeClaims []string

	// Keys verify the signatures. Nil means discovery: the key set of this issuer is found and fetched when the first
	// token of it arrives, and followed from then on, see [jwks.NewRemote].
	Keys jwks.KeySource

	// KeySetURL is where the key set is, for issuers without a discovery document. Empty means discovery.
	// It has no meaning, and is refused, together with Keys.
	KeySetURL string

	// MaxTokenAge refuses tokens that were issued longer ago (by iat, which is then required), whatever their exp
	// says. The clock skew is added to it. 0 means no limit.
	MaxTokenAge time.Duration

	made bool
}

// NewIssuer returns the terms for one more issuer, with the defaults filled in: the algorithms RS256, PS256, ES256 and
// EdDSA, the scope claims scope and scp, the profile [Default], and keys by discovery. Nothing is checked here; the
// constructors [New] and [NewValidator] check everything.
func NewIssuer(name string, audience ...string) Issuer {
	return Issuer{
		Name:        name,
		Audiences:   append([]string(nil), audience...),
		Algorithms:  []string{"RS256", "PS256", "ES256", "EdDSA"},
		ScopeClaims: []string{"scope", "scp"},
		made:        true,
	}
}
