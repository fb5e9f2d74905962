package middleware

// A Profile is a set of rules for the tokens of one issuer, on top of those that hold for every token.
type Profile int

const (
	// Default accepts what Auth0, Entra ID, Keycloak, Okta, Cognito, Duende and their like issue: typ is at+jwt or JWT
	// or absent.
	Default Profile = iota

	// RFC9068 is the JWT profile for access tokens: typ must be at+jwt (RFC 9068 §4), and iss, exp, aud, sub,
	// client_id, iat and jti must be there (§2.2).
	RFC9068

	// ASPNET judges and answers as ASP.NET Core's JwtBearer does with its defaults: a token is accepted up to and
	// including exp+skew, typ and a future iat are not judged, a trailing slash of an audience does not matter; the
	// challenge has no realm unless one is configured and describes the refusal in JwtBearer's words, a missing token
	// is answered with a bare "Bearer", 403 carries no challenge, and no answer has a body. What came from the token
	// is sanitised and truncated before it is repeated. Set ClockSkew to 5*time.Minute to have its default too.
	//
	// The strictness of parsing and the order of the checks stay those of this package: for example, an exp that is a
	// string is refused, and keys are only looked up for tokens that are otherwise acceptable.
	ASPNET
)
