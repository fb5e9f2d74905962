package middleware

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"time"
)

// A Config says which tokens are accepted and how the others are answered. Make it with [NewConfig] and change what
// you need: what you print is what is in force, so 0 means 0 and false means false. A Config that NewConfig did not
// make is refused. The constructors copy it; later changes have no effect.
type Config struct {
	// Issuer is the first and usually only issuer: its name, keys and rules.
	Issuer Issuer

	// MoreIssuers are further issuers, made by [NewIssuer], each with its own audiences, algorithms, keys and rules.
	MoreIssuers []Issuer

	// ClockSkew is how far the issuer's clock may differ from ours: a token is accepted while now < exp + ClockSkew
	// and now >= nbf - ClockSkew, to the nanosecond. NewConfig sets 60 s. 0 means 0; negative is refused.
	ClockSkew time.Duration

	// RequireExpirationTime rejects tokens without exp. NewConfig sets true.
	RequireExpirationTime bool

	// AllowUnprovenBinding accepts tokens that are bound to a key of the client (cnf, RFC 7800: by DPoP, RFC 9449, or
	// mutual TLS, RFC 8705), although nothing here makes the client prove that it has the key. NewConfig sets false:
	// such a token is rejected, because accepting it from any bearer undoes the binding. Set it where something else
	// checks the proof.
	AllowUnprovenBinding bool

	// MaxTokenSize is the maximum length of a token, in bytes. NewConfig sets 16384.
	MaxTokenSize int

	// CacheBytes is the maximum memory for cached tokens, in bytes: two to three times a token's length for each.
	// NewConfig sets 32 MiB. 0 caches none; more than 64 GiB is refused.
	//
	// A cache hit is a token that is the same byte for byte, whose key the issuer still publishes, and whose exp, nbf,
	// iat and MaxTokenAge are valid now; Check is asked every time. Rejections and tokens that are bound to a key (cnf)
	// are not cached.
	CacheBytes int

	// MaxVerifications is the maximum number of tokens whose signatures are verified at the same time. The others wait,
	// no longer than their request lives. After 250 µs spent on forged signatures, verification pauses for the same
	// time. This keeps a flood of forged signatures from delaying requests whose tokens are cached; new tokens wait
	// behind the forged ones, first come first served. NewConfig sets one less than runtime.GOMAXPROCS(0), at least 1,
	// so that one processor is left for everything else. 0 means no limit and no pause.
	MaxVerifications int

	// AllowInsecureHTTP permits issuers and key sets that are reached by plain http on hosts other than loopback.
	// Anyone on the network path can then replace the keys.
	AllowInsecureHTTP bool

	// HTTPClient is used for discovery and key sets. Nil means a client with timeouts of its own.
	HTTPClient *http.Client

	// Now is the clock. Nil means that of the machine.
	Now func() time.Time

	// Logger gets ordinary rejections at level Debug and suspicious ones (a bad signature, an algorithm that is not
	// allowed, crit) at Warn; never a token. Nil means silence.
	Logger *slog.Logger

	// Check is asked last, about a token whose signature and claims are valid; revocation belongs here, see package
	// revocation. Nil accepts. Its error rejects the token: as [ErrInvalidToken] (401), or as the class that the error
	// wraps, for example [ErrInsufficientScope] (403). An error that wraps [ErrCheckUnavailable], or that of a context
	// that ended, says that it could not decide: 503. A Check that prefers to let such requests pass returns nil.
	Check func(ctx context.Context, tok *Token) error

	// OnEvent is told every outcome, accepted or rejected, once, synchronously and possibly from many goroutines at
	// the same time. A route's rejection inside another Handler of the same Bearer is an outcome of its own. Nil tells
	// nobody.
	OnEvent func(ctx context.Context, e Event)

	// The fields below are about HTTP and have no meaning for [NewValidator].

	// Credentials finds the token of a request: [FromAuthorization], [FromHeader], [FromCookie], [FromForm],
	// [FromQuery], several of them by [OneOf], or a function of your own, which returns [ErrNoToken] when there is
	// none. An error of no class of this package is answered as [ErrInvalidRequest]. Nil means FromAuthorization.
	Credentials func(r *http.Request) (string, error)

	// Style is how refusals are answered. The zero value is [StyleRFC6750].
	Style Style

	// Realm is the realm parameter of the challenge. Empty means the first audience of Issuer, or none with
	// [StyleASPNET].
	Realm string

	// Optional lets [Bearer.Handler] pass requests that carry no token at all; [FromContext] then reports false. A
	// token that is not acceptable is rejected all the same. [Bearer.Require] always demands a token.
	Optional bool

	// DescribeErrors adds an error_description to challenges and bodies. NewConfig sets true.
	DescribeErrors bool

	// WriteError writes the body of a refusal in place of the usual JSON, {"error":…,"error_description":…}. The
	// headers of the answer (WWW-Authenticate, Cache-Control, Retry-After) are set when it is called; it may change
	// them, for example add a challenge of another scheme, and must call WriteHeader(status).
	WriteError func(w http.ResponseWriter, r *http.Request, status int, err error)

	// Resource is the resource identifier of this server (RFC 9728, Section 1.2), an absolute URL without a fragment.
	// When it is set, challenges carry resource_metadata and [Bearer.Metadata] serves the document. Empty means
	// neither.
	Resource string

	// ResourceMetadata are further members of the metadata document (RFC 9728, Section 2), for example scopes_supported
	// or resource_name. resource and authorization_servers are filled in and can't be set here;
	// bearer_methods_supported is filled in when Credentials is nil.
	ResourceMetadata map[string]any

	made bool
}

// NewConfig returns a Config for the tokens of one issuer and the names (aud) under which this server is known, with
// every default filled in: 60 s of clock skew, exp required, RS256 PS256 ES256 EdDSA, at most 16 KiB a token, keys by
// discovery, described errors with a JSON body. It checks nothing; [New] and [NewValidator] check everything.
func NewConfig(issuer string, audience ...string) *Config {
	return &Config{
		Issuer:                NewIssuer(issuer, audience...),
		ClockSkew:             time.Minute,
		RequireExpirationTime: true,
		MaxTokenSize:          16 << 10,
		CacheBytes:            32 << 20,
		MaxVerifications:      max(1, runtime.GOMAXPROCS(0)-1),
		DescribeErrors:        true,
		made:                  true,
	}
}
