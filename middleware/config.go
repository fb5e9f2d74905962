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
	// Issuer is the first and usually only issuer. It is embedded, so that cfg.Audiences, cfg.Algorithms, cfg.Keys
	// and cfg.Profile read naturally. Its Profile also decides the form of the challenges.
	Issuer

	// Others are further issuers, made by [NewIssuer], each with its own audience, algorithms, keys and profile.
	Others []Issuer

	// ClockSkew is how far the issuer's clock may differ from ours: a token is accepted while now < exp + ClockSkew
	// and now >= nbf - ClockSkew, to the nanosecond. NewConfig sets 60 s. 0 means 0; negative is refused.
	ClockSkew time.Duration

	// RequireExpirationTime refuses tokens without exp. NewConfig sets true.
	RequireExpirationTime bool

	// AllowUnprovenBinding accepts tokens that are bound to a key of the client (cnf, RFC 7800: by DPoP, RFC 9449, or
	// mutual TLS, RFC 8705), although nothing here makes the client prove that it has the key. NewConfig sets false:
	// such a token is refused, because to take it from any bearer is to undo what it was bound for. Set it where
	// something else proves possession.
	AllowUnprovenBinding bool

	// MaxTokenSize is the longest token that is looked at, in bytes. NewConfig sets 16384.
	MaxTokenSize int

	// CacheEntries is the most verified tokens that are remembered, so that a token that is presented again costs no second
	// verification. NewConfig sets 16384. 0 remembers none. More than 67 108 864 for which there is room in CacheBytes are
	// refused.
	//
	// Only a token that is the same byte for byte, whose key the issuer still publishes, and whose exp, nbf, iat and
	// MaxTokenAge still hold to the nanosecond is accepted this way; Check is asked every time. Refusals and tokens that
	// are bound to a key (cnf) are not remembered. When the machine's clock is set, this takes it in a millisecond later.
	CacheEntries int

	// CacheBytes is the most memory that remembered tokens may take, in bytes, as the heap counts it and with the table that
	// finds them: less than 2 KB each, for a usual one. NewConfig sets 32 MiB. 0 remembers none.
	CacheBytes int

	// CacheDigests keeps of remembered tokens their SHA-256 in place of their text, so that a dump of the memory has fewer
	// tokens in it; the claims are there all the same. It takes half the memory, and about half a
	// microsecond a request.
	CacheDigests bool

	// MaxVerifications is how many tokens' signatures are verified at the same time; the others wait for their turn, no
	// longer than their request lives, and after each quarter of a millisecond of signatures that were not right a turn
	// pauses for as long. It keeps a flood of forged signatures from delaying requests whose tokens are remembered; new tokens wait
	// behind the forged ones, first come first served. NewConfig sets one less than runtime.GOMAXPROCS(0), at least
	// 1, so that one processor is left for everything else. 0 means no limit and no pause.
	MaxVerifications int

	// AllowInsecureHTTP permits issuers and key sets that are reached by plain http on hosts other than loopback.
	// Whoever stands between can then replace the keys.
	AllowInsecureHTTP bool

	// HTTPClient is used for discovery and key sets. Nil means a client with timeouts of its own.
	HTTPClient *http.Client

	// Now is the clock. Nil means that of the machine.
	Now func() time.Time

	// Logger gets ordinary refusals at level Debug and suspicious ones (a bad signature, an algorithm that is not
	// allowed, crit) at Warn; never a token. Nil means silence.
	Logger *slog.Logger

	// Check is asked last, about a token whose signature and claims are in order; revocation belongs here, see package
	// revocation. Nil accepts. Its error refuses the token: as [ErrInvalidToken] (401), or as the class that the error wraps,
	// for example [ErrInsufficientScope] (403). An error that wraps [ErrCheckUnavailable] says that it could not decide;
	// then CheckFailOpen applies.
	Check func(ctx context.Context, tok *Token) error

	// CheckFailOpen says what happens when Check could not decide: false (the default) answers 503, true accepts
	// the token, logs a warning and reports an event with the reason [ReasonCheckSkipped].
	CheckFailOpen bool

	// OnEvent is told every outcome, accepted or refused, once, synchronously and possibly from many goroutines at
	// the same time. A route's refusal inside another Handler of the same Bearer is an outcome of its own. Nil tells
	// nobody.
	OnEvent func(ctx context.Context, e Event)

	// The fields below are about HTTP and have no meaning for [NewValidator].

	// Realm is the realm parameter of the challenge. Empty means the first audience, or none with the profile
	// [ASPNET].
	Realm string

	// Optional lets [Bearer.Handler] pass requests that carry no token at all; [FromContext] then reports false. A
	// token that is not acceptable is refused all the same. [Bearer.Require] always wants a token.
	Optional bool

	// AllowPreflight passes true CORS preflights (OPTIONS with Origin and Access-Control-Request-Method), which never
	// carry credentials, to the handler unjudged.
	AllowPreflight bool

	// Cookie is the name of a cookie that may carry the token. Empty means none. A cookie is sent by the browser for
	// whoever asks: the application then needs protection against cross-site request forgery.
	Cookie string

	// AllowForm accepts the token as access_token in a form-encoded body (RFC 6750 §2.2). The body is then read up
	// to 10 MiB by [http.Request.ParseForm] for such requests.
	AllowForm bool

	// AllowQuery accepts the token as access_token in the query (RFC 6750 §2.3), where it ends up in logs and
	// histories; RFC 9700 §4.3.2 says not to. Answers to such requests get Cache-Control: private.
	AllowQuery bool

	// DescribeErrors adds an error_description to challenges and bodies. NewConfig sets true.
	DescribeErrors bool

	// JSONBody gives refusals a body, {"error":…,"error_description":…}. NewConfig sets true; false means no body.
	JSONBody bool

	// WriteError writes the body of a refusal in place of JSONBody. The headers of the answer (WWW-Authenticate,
	// Cache-Control, Retry-After) are set when it is called; it must call WriteHeader(status), and may set other
	// headers before.
	WriteError func(w http.ResponseWriter, r *http.Request, status int, err error)

	// Challenges are further WWW-Authenticate values that every 401 carries after the Bearer one, for routes that
	// understand other schemes too, for example `Basic realm="api1"`.
	Challenges []string

	// RetryAfter is what a 503 asks the client to wait, rounded up to seconds. NewConfig sets 5 s.
	RetryAfter time.Duration

	// Resource is the resource identifier of this server (RFC 9728 §1.2), an absolute URL without a fragment. When it
	// is set, challenges carry resource_metadata and [Bearer.Metadata] serves the document. Empty means neither.
	Resource string

	// ResourceMetadata are further members of the metadata document (RFC 9728 §2), for example scopes_supported or
	// resource_name. resource and authorization_servers are filled in and can't be set here.
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
		CacheEntries:          16 << 10,
		CacheBytes:            32 << 20,
		MaxVerifications:      max(1, runtime.GOMAXPROCS(0)-1),
		DescribeErrors:        true,
		JSONBody:              true,
		RetryAfter:            5 * time.Second,
		made:                  true,
	}
}
