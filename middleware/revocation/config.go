package revocation

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

// WhenStale decides what happens to tokens while the list is not up to date. It has no default, because both choices
// cost something: with Reject a long outage of the list stops the API, with Accept it stops revocation.
type WhenStale string

// The values of [WhenStale].
const (
	Reject WhenStale = "reject" // Check fails with ErrStale, which the middleware answers with 503 and Retry-After
	Accept WhenStale = "accept" // tokens are checked against the entries that are known
)

// Config says which revocation list to follow, and how. Make it with [NewConfig] and change what you need; what you
// print is what is in force, except for the secret, which is never printed. [New] rejects a Config that NewConfig did
// not make. New copies the Config, so later changes have no effect.
type Config struct {
	// Issuer is the issuer whose tokens are looked up. It is compared with iss byte for byte. Required.
	Issuer string

	// URL is the address of the list. NewConfig sets Issuer + "/revoked". It must be an https URL without a query; http
	// is allowed on loopback hosts, and elsewhere only with AllowInsecureHTTP. Redirects are not followed, because the
	// credentials are meant for this address alone.
	URL string

	// ClientID and ClientSecret authenticate the API by HTTP Basic (RFC 6749, Section 2.3.1). Both are required.
	// Package authserver serves the list to confidential clients whose Serves names an audience.
	ClientID     string
	ClientSecret string `json:"-"`

	// WhenStale decides what happens to this issuer's tokens while the list is stale. Required: [Reject] or [Accept].
	// Tokens that are known to be revoked are rejected in any case.
	//
	// The list is stale until it was read completely for the first time, when the last complete answer is older than
	// MaxAge, and while there are more entries than MaxEntries. It is also stale if Now was ahead, so that entries were
	// removed too early, and they cannot be read again.
	WhenStale WhenStale

	// Interval is the longest time between the starts of two polls while the server answers. Up to 20 % of it is
	// random, so that several APIs do not poll at the same moment. NewConfig sets 5 s; the minimum is 10 ms.
	Interval time.Duration

	// MaxAge is the maximum age of the last complete answer. NewConfig sets 1 min. It must be longer than Interval, and
	// should be several times as long, so that a few lost answers do not matter.
	//
	// After a failure the next attempt starts within the larger of Interval and MaxAge/4, or within MaxAge/2 if the
	// server asks for that by Retry-After. One request takes at most 5 s, or MaxAge/4 if that is less.
	MaxAge time.Duration

	// MaxEntries is the maximum number of entries kept. With more, the list is stale until all entries fit again.
	// NewConfig sets 100 000, which take 6 MB with the ids of package authserver. With the longest ids, 128 bytes, they
	// take 16 MB.
	MaxEntries int

	// AllowInsecureHTTP permits plain http on hosts other than loopback. Anybody on the network path can then read the
	// secret, hide revocations and have any token rejected. The default is false.
	AllowInsecureHTTP bool

	// HTTPClient provides the Transport. Its Timeout, Jar and CheckRedirect are not used. Nil means a transport of the
	// List's own, which uses the proxies of the environment.
	HTTPClient *http.Client

	// Now is the clock by which entries end. Nil means time.Now. MaxAge is always measured by the monotonic clock.
	Now func() time.Time

	// Logger logs each [Event], so once per change and never per request. Nil means no logs.
	Logger *slog.Logger

	// OnEvent is called with each [Event] by the goroutine that is in Run, so it should return quickly. It may be nil.
	OnEvent func(Event)

	made bool
}

// NewConfig returns a Config for the tokens of one issuer, whose list is read with the client's credentials. It fills
// in every default: a poll every 5 s, stale after a minute, at most 100 000 entries. WhenStale has no default and
// remains to be set. NewConfig checks nothing; [New] checks everything.
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

// LogValue returns the settings in force, without the secret.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", c.Issuer), slog.String("url", weburl.Redact(c.URL)),
		slog.String("client_id", c.ClientID), slog.String("when_stale", string(c.WhenStale)),
		slog.Duration("interval", c.Interval), slog.Duration("max_age", c.MaxAge), slog.Int("max_entries", c.MaxEntries),
		slog.Bool("allow_insecure_http", c.AllowInsecureHTTP))
}

// String returns LogValue as text.
func (c Config) String() string { return fmt.Sprint(c.LogValue()) }

// Format prints String for every verb, so that %+v and %#v do not show the secret.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// resolve returns a copy of c in which nil fields have their defaults, or an error that names every problem of c.
func (c *Config) resolve() (Config, error) {
	if c == nil || !c.made {
		return Config{}, errors.New("revocation: use revocation.NewConfig to create a Config")
	}
	var problems []error
	problem := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("revocation: config: %s: %w", field, fmt.Errorf(format, args...)))
	}
	if c.Issuer == "" {
		problem("Issuer", "the issuer is empty")
	}
	u, err := weburl.Parse(c.URL, c.AllowInsecureHTTP)
	if err == nil && weburl.HasQuery(u) {
		err = errors.New("the URL has a query")
	}
	if err != nil {
		problem("URL", "%q: %w", weburl.Redact(c.URL), err)
	}
	if c.ClientID == "" {
		problem("ClientID", "the client id is empty")
	}
	if c.ClientSecret == "" {
		problem("ClientSecret", "the secret is empty: only confidential clients may read the list")
	}
	switch c.WhenStale {
	case Reject, Accept:
	case "":
		problem("WhenStale", "it has no default: set Reject or Accept")
	default:
		problem("WhenStale", "%q is neither Reject nor Accept", string(c.WhenStale))
	}
	if c.Interval < 10*time.Millisecond {
		problem("Interval", "%v is less than 10ms", c.Interval)
	}
	if c.MaxAge <= c.Interval {
		problem("MaxAge", "%v is not longer than Interval, %v: the list would be stale between two polls",
			c.MaxAge, c.Interval)
	}
	if c.MaxEntries < 1 {
		problem("MaxEntries", "%d is not positive", c.MaxEntries)
	}
	r := *c
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	if r.OnEvent == nil {
		r.OnEvent = func(Event) {}
	}
	return r, errors.Join(problems...)
}
