package revocation

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// WhenStale says what becomes of tokens while the list is not up to date.
type WhenStale string

// There is no default: the first ends the API's service when the feed is away for too long, the second ends revocation.
const (
	Refuse WhenStale = "refuse" // Check fails with ErrStale, which is answered with 503 and Retry-After
	Accept WhenStale = "accept" // tokens are judged by what is known
)

// A Config says whose revocations are followed and how. Make it with [NewConfig] and change what you need: what you print is
// what is in force, but for the secret, which is not printed. A Config that NewConfig did not make is refused. [New] copies
// it; later changes have no effect.
type Config struct {
	// Issuer is the issuer whose tokens are looked up, compared with iss byte for byte. Required.
	Issuer string

	// URL is where the feed is. NewConfig sets Issuer + "/revoked". It is an https URL; http is fine on loopback hosts,
	// elsewhere only with AllowInsecureHTTP. Redirects are not followed: the credentials are for this address.
	URL string

	// ClientID and ClientSecret are what the API authenticates with, by HTTP Basic (RFC 6749 §2.3.1). Both are required.
	// Package authserver lets in a confidential client whose Serves names an audience.
	ClientID     string
	ClientSecret string `json:"-"`

	// WhenStale says what becomes of this issuer's tokens while the list is not up to date: before it was read completely for
	// the first time, when there was no complete answer for MaxAge, while there are more entries than MaxEntries, and when
	// entries went too early, because Now was ahead, and can't be read again. It is required: [Refuse] or [Accept].
	// middleware.Config.CheckFailOpen turns Refuse into acceptance with a warning. What is known to be revoked is refused in
	// any case.
	WhenStale WhenStale

	// Interval is the longest time from the beginning of one poll to that of the next, while the server answers; 20 % of it are
	// left to chance, so that several APIs don't come at the same moment. NewConfig sets 5 s. At least 10 ms.
	Interval time.Duration

	// MaxAge is how old the last complete answer may be. NewConfig sets 1 min. It must be more than Interval, and should be
	// several times as much, so that a few lost answers don't matter: after a failure the next attempt is made within the
	// larger of Interval and MaxAge/4, or MaxAge/2 if the server asks for it by Retry-After. One request takes at most 5 s, or
	// MaxAge/4 if that is less.
	MaxAge time.Duration

	// MaxEntries is the most entries that are kept. NewConfig sets 100 000, which is 6 MB with the ids of package authserver and
	// 16 MB with the longest, 128 bytes. With more the list counts as stale until it fits again.
	MaxEntries int

	// AllowInsecureHTTP permits a feed that is reached by plain http on hosts other than loopback. Whoever stands between can
	// then read the secret, hide revocations and have any token refused.
	AllowInsecureHTTP bool

	// HTTPClient lends its Transport. Its Timeout, Jar and CheckRedirect are not used. Nil means a transport of our own, which
	// heeds the proxies of the environment.
	HTTPClient *http.Client

	// Now is the clock by which entries end. Nil means time.Now. MaxAge is always counted by the monotonic clock.
	Now func() time.Time

	// Logger is told what [Event] describes, once per change and never per request. Nil means silence.
	Logger *slog.Logger

	// OnEvent is told the same, by the goroutine that is in Run: it should be quick. Nil tells nobody.
	OnEvent func(Event)

	made bool
}

// NewConfig returns a Config for the tokens of one issuer, whose feed is asked with the client's credentials, with every default
// filled in but WhenStale, which has none: a poll every 5 s, stale after a minute, at most 100 000 entries. It checks nothing;
// [New] checks everything.
func NewConfig(issuer, clientID, clientSecret string) *Config {
	return &Config{
		Issuer:       issuer,
		URL:          strings.TrimSuffix(issuer, "/") + "/revoked",
		ClientID:     clientID,
		ClientSecret: clientSecret,
		Interval:     5 * time.Second,
		MaxAge:       time.Minute,
		MaxEntries:   100_000,
		made:         true,
	}
}

// LogValue shows what is in force, without the secret.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", c.Issuer), slog.String("url", shown(c.URL)), slog.String("client_id", c.ClientID),
		slog.String("when_stale", string(c.WhenStale)), slog.Duration("interval", c.Interval), slog.Duration("max_age", c.MaxAge),
		slog.Int("max_entries", c.MaxEntries), slog.Bool("allow_insecure_http", c.AllowInsecureHTTP))
}

// String is LogValue as text.
func (c Config) String() string { return fmt.Sprint(c.LogValue()) }

// Format prints String for every verb, so that %+v and %#v don't show the secret.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }
