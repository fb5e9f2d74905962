package authclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// Config says where an access token may go and how it is refreshed. Make it with [NewConfig], which fills in the defaults:
// what it holds is what is in force, a zero means zero. [New] takes a copy, so one Config may serve many sessions, and a
// plain copy of it may get its own Store and hooks.
type Config struct {
	// OAuth2 is the client at the authorization server. Required, and in it ClientID, Endpoint.TokenURL and
	// Endpoint.AuthStyle: oauth2.AuthStyleInHeader (client_secret_basic) or oauth2.AuthStyleInParams
	// (client_secret_post, and every client without a secret). oauth2.AuthStyleAutoDetect is refused: it finds out by
	// sending the refresh token twice.
	OAuth2 *oauth2.Config

	// Origins are the base URLs of the API. The token is sent to their origins (scheme, host and port, all equal), and
	// to every path there; a path in a base URL narrows nothing. Required.
	Origins []string

	// Base sends the requests to the API. The zero value means http.DefaultTransport. It sees the token.
	Base http.RoundTripper

	// TokenTransport sends the refresh requests. The zero value means Base. Redirects are not followed and no cookies kept.
	TokenTransport http.RoundTripper

	// RefreshScopes is sent as the scope parameter of a refresh, to get a narrower access token than was granted (RFC
	// 6749, section 6). The default is none: the scope stays what it was.
	RefreshScopes []string

	// Store keeps the session's token; the zero value means this process's memory. See [Store].
	Store Store

	// Save, if not nil, is called with each token a refresh brought, after Store has saved it and before any request
	// uses it, one call at a time. It must not call the Transport. Its context ends after 5 s.
	Save func(ctx context.Context, token *oauth2.Token) error

	// OnSessionEnded, if not nil, is called exactly once when the session ends, with an error that wraps
	// ErrSessionEnded and the cause, before the requests that wait for the refresh go on. It may call SetToken.
	OnSessionEnded func(err error)

	// OnPersistError, if not nil, is called when Store or Save fails. The new token is used all the same, because
	// the old refresh token is already spent. It must not call the Transport.
	OnPersistError func(err error)

	// Lenient takes a 401 without a WWW-Authenticate header, or with a Bearer challenge that names no error, for
	// invalid_token, if the method is GET, HEAD or OPTIONS or the token is past its expiry by our clock. Default false.
	Lenient bool

	// ReplayUnsafe lets a request of any method be sent again after a 401: invalid_token says that it was refused before
	// it was acted upon. Default true. If false, only the idempotent methods (RFC 9110, section 9.2.2) and requests with
	// an Idempotency-Key are sent again; after others the 401 is returned and the next request refreshes.
	ReplayUnsafe bool

	// MaxReplayBody is the largest body, in bytes, that is kept in memory to be sent again when the request has no
	// GetBody and says its ContentLength. Default 0: nothing is kept.
	MaxReplayBody int64

	// Margin is how long before its expiry a token is refreshed, at most; 20 % of its lifetime if that is less. Default
	// 10 s. A jitter of at most a tenth of it is added, so that many clients don't come at once.
	Margin time.Duration

	// Timeout bounds one refresh with both its tries and the wait for the Store's lock. Default 30 s. The first try
	// gets 5 s of it, or half if that is less, so that the second falls within the server's grace for a lost answer.
	Timeout time.Duration

	// AllowInsecureHTTP allows http for hosts other than loopback, in Origins and in the token endpoint. Tokens and the
	// client's secret are then readable on the way. Default false.
	AllowInsecureHTTP bool

	// Now is the clock. Default time.Now.
	Now func() time.Time

	made bool
}

// NewConfig returns a Config for the client oauth and the base URLs of the API its tokens are for, with the defaults filled
// in. It checks nothing; New does.
func NewConfig(oauth *oauth2.Config, origins ...string) *Config {
	return &Config{
		OAuth2:       oauth,
		Origins:      origins,
		ReplayUnsafe: true,
		Margin:       10 * time.Second,
		Timeout:      30 * time.Second,
		Now:          time.Now,
		made:         true,
	}
}

// resolve returns a copy of c with the zero values replaced, the set of origins and the token endpoint, or all that is
// wrong with c and token.
func (c *Config) resolve(token *oauth2.Token) (*Config, map[string]bool, *tokenEndpoint, error) {
	if c == nil || !c.made {
		return nil, nil, nil, errors.New("authclient: make the Config with NewConfig")
	}
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("authclient: "+format, args...))
	}

	r := *c
	if r.Base == nil {
		r.Base = http.DefaultTransport
	}
	if r.TokenTransport == nil {
		r.TokenTransport = r.Base
	}
	if r.Store == nil {
		r.Store = NewMemoryStore()
	} else if file, ok := r.Store.(*FileStore); ok && (file == nil || file.path == "") {
		problem("Store: the file has no name")
	}

	endpoint := r.resolveClient(problem)
	origins := make(map[string]bool, len(r.Origins))
	if len(r.Origins) == 0 {
		problem("Origins is required: the base URLs of the API the token is for")
	}
	for _, base := range r.Origins {
		u, err := url.Parse(base)
		if err != nil || !validEndpoint(u) || u.RawQuery != "" {
			problem("Origins: %q is not an http or https URL without user, query and fragment", redactURL(base))
			continue
		}
		if !r.secureEnough(u) {
			problem("Origins: %q is not https: anybody on the way can read the token; set AllowInsecureHTTP if that is meant", base)
			continue
		}
		origins[originOf(u)] = true
	}

	if r.MaxReplayBody < 0 {
		problem("MaxReplayBody is negative")
	}
	if r.Margin < 0 {
		problem("Margin is negative")
	}
	if r.Timeout <= 0 {
		problem("Timeout must be positive")
	}
	if r.Now == nil {
		problem("Now is required")
	}
	if token != nil {
		if err := checkToken(token); err != nil {
			problems = append(problems, err)
		}
	} else if c.Store == nil {
		problem("a token or a Store that has one is required")
	}
	if len(problems) > 0 {
		return nil, nil, nil, errors.Join(problems...)
	}
	return &r, origins, endpoint, nil
}

// resolveClient judges c.OAuth2.
func (c *Config) resolveClient(problem func(format string, args ...any)) *tokenEndpoint {
	if c.OAuth2 == nil {
		problem("OAuth2 is required")
		return nil
	}
	if c.OAuth2.ClientID == "" {
		problem("OAuth2.ClientID is required")
	}
	switch c.OAuth2.Endpoint.AuthStyle {
	case oauth2.AuthStyleInParams:
	case oauth2.AuthStyleInHeader:
		if c.OAuth2.ClientSecret == "" {
			problem("OAuth2.Endpoint.AuthStyle: a client without a secret needs oauth2.AuthStyleInParams")
		}
	case oauth2.AuthStyleAutoDetect:
		problem("OAuth2.Endpoint.AuthStyle is required: set oauth2.AuthStyleInHeader (client_secret_basic) " +
			"or oauth2.AuthStyleInParams (client_secret_post, or no secret); it is not found out by trying")
	default:
		problem("OAuth2.Endpoint.AuthStyle %d is unknown", c.OAuth2.Endpoint.AuthStyle)
	}
	raw := c.OAuth2.Endpoint.TokenURL
	if raw == "" {
		problem("OAuth2.Endpoint.TokenURL is required")
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || !validEndpoint(u) {
		problem("OAuth2.Endpoint.TokenURL: %q is not an http or https URL without user and fragment", redactURL(raw))
		return nil
	}
	if !c.secureEnough(u) {
		problem("OAuth2.Endpoint.TokenURL: %q is not https: anybody on the way can read the refresh token; "+
			"set AllowInsecureHTTP if that is meant", redactURL(raw))
	}
	return &tokenEndpoint{
		url:       u,
		id:        c.OAuth2.ClientID,
		secret:    c.OAuth2.ClientSecret,
		inHeader:  c.OAuth2.Endpoint.AuthStyle == oauth2.AuthStyleInHeader,
		scopes:    append([]string(nil), c.RefreshScopes...),
		transport: c.TokenTransport,
		timeout:   c.Timeout,
		now:       c.Now,
	}
}

func (c *Config) secureEnough(u *url.URL) bool {
	return u.Scheme == "https" || c.AllowInsecureHTTP || isLoopback(u.Hostname())
}
