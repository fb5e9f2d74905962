package middleware

// A Profile is a set of rules for the tokens of one issuer, on top of those that hold for every token.
type Profile int

const (
	// Default accepts what Auth0, Entra ID, Keycloak, Okta, Duende and their like issue: typ is at+jwt or JWT or
	// absent.
	Default Profile = iota

	// RFC9068 is the JWT profile for access tokens: typ must be at+jwt (RFC 9068, Section 4), and iss, exp, aud, sub,
	// client_id, iat and jti must be there (RFC 9068, Section 2.2).
	RFC9068

	// ASPNET validates as ASP.NET Core's JwtBearer does with its defaults: a token is accepted up to and including
	// exp+skew, the lifetime comes before the audience, typ and a future iat are ignored, a trailing slash of an
	// audience does not matter. Set ClockSkew to 5*time.Minute to have its default too, and [StyleASPNET] for its
	// answers.
	//
	// Parsing stays as strict as in this package: for example, an exp that is a string is rejected, and keys are only
	// looked up for tokens that are otherwise acceptable.
	ASPNET
)

// rules are a profile as data.
type rules struct {
	types           []string // acceptable typ, normalised; nil means all
	required        []string // claims that must be there
	notEmpty        bool     // and must not be empty: sub, client_id and jti
	inclusiveExpiry bool     // accepted at exactly exp+skew
	ignoreFutureIat bool
	lifetimeFirst   bool // before the audience
	ignoreAudSlash  bool // ASP.NET's IgnoreTrailingSlashWhenValidatingAudience
	fixedTypes      bool // Types may not say anything else
}

var profiles = map[Profile]*rules{
	Default: {types: []string{"at+jwt", "jwt", ""}},
	RFC9068: {
		types:    []string{"at+jwt"},
		required: []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"},
		notEmpty: true, fixedTypes: true,
	},
	ASPNET: {inclusiveExpiry: true, ignoreFutureIat: true, lifetimeFirst: true, ignoreAudSlash: true},
}
