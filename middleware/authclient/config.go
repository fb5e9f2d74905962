package authclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/internal/weburl"
)

// Config says where an access token may go and how it is refreshed. Make it with [NewConfig], which fills in the
// defaults: what it contains is what is in force, and zero means zero. [New] copies it. So one Config may serve many
// grants, and a copy of it may get its own Store and hooks.
type Config struct {
	// OAuth2 describes the client at the authorization server. Required, with ClientID, Endpoint.TokenURL and
	// Endpoint.AuthStyle: oauth2.AuthStyleInHeader (client_secret_basic) or oauth2.AuthStyleInParams
	// (client_secret_post, and every client without a secret). oauth2.AuthStyleAutoDetect is rejected, because it
	// detects the style by sending the refresh token twice.
	OAuth2 *oauth2.Config

	// Origins are the base URLs of the API. The token is sent to their origins (scheme, host and port, all equal), and
	// to every path there: a path in a base URL restricts nothing. Required.
	Origins []string

	// Base sends the requests to the API. It sees the token. Nil means http.DefaultTransport.
	Base http.RoundTripper

	// TokenTransport sends the refresh requests. Redirects are not followed, and cookies are not kept. Nil means Base.
	TokenTransport http.RoundTripper

	// RefreshScopes is the scope parameter of a refresh, for an access token with less scope than was granted (RFC
	// 6749, Section 6). Empty sends none: the scope stays as it is.
	RefreshScopes []string

	// Store keeps the token. Nil means the memory of this Transport. See [Store].
	Store Store

	// Save, if not nil, is called with the token of each refresh, after Store has saved it and before any request uses
	// it. There is one call at a time. It must not call the Transport. Its context ends after 5 s.
	Save func(ctx context.Context, token *oauth2.Token) error

	// OnLoginRequired, if not nil, is called exactly once when the grant ends, before the requests that wait for the
	// refresh continue. The error wraps ErrLoginRequired and the cause. It may call SetToken.
	OnLoginRequired func(err error)

	// OnPersistError, if not nil, is called when Store or Save fails. The new token is used all the same, because the
	// old refresh token is already spent. It must not call the Transport.
	OnPersistError func(err error)

	// Lenient treats a 401 without a reason like invalid_token: one without a WWW-Authenticate header, or with a Bearer
	// challenge without an error. It does so if the method is GET, HEAD or OPTIONS, or if the token has expired by our
	// clock. The default is false.
	Lenient bool

	// RetryNonIdempotent retries requests of any method after a 401. That is safe with invalid_token, which means
	// that the API has not acted on the request. The default is true.
	//
	// With false, only idempotent methods (RFC 9110, Section 9.2.2) and requests with an Idempotency-Key are retried.
	// For others the 401 is returned, and the next request refreshes first.
	RetryNonIdempotent bool

	// MaxRetryBody is the size in bytes of the largest body that is kept in memory for a retry. It applies to requests
	// without GetBody that have a ContentLength. The default is 0: no body is kept.
	MaxRetryBody int64

	// Margin is how long before its expiry a token is refreshed, but at most 20 % of its lifetime. The default is
	// 10 s. A random time of up to a tenth of it is added, so that many clients do not refresh at once.
	Margin time.Duration

	// Timeout bounds one refresh, with both attempts and the wait for the Store's lock. The default is 30 s. The
	// first attempt gets 5 s of it, or half if that is less, so that the second arrives within the server's grace
	// period for a lost answer.
	Timeout time.Duration

	// AllowInsecureHTTP allows http for hosts other than loopback, in Origins and for the token endpoint. Anybody on
	// the network path can then read the tokens and the client's secret. The default is false.
	AllowInsecureHTTP bool

	// Now is the clock. The default is time.Now.
	Now func() time.Time

	made bool
}

// NewConfig returns a Config for the client oauth and the base URLs of the API that its tokens are for, with the
// defaults filled in. NewConfig checks nothing; [New] checks everything.
func NewConfig(oauth *oauth2.Config, origins ...string) *Config {
	return &Config{
		OAuth2:             oauth,
		Origins:            origins,
		RetryNonIdempotent: true,
		Margin:             10 * time.Second,
		Timeout:            30 * time.Second,
		Now:                time.Now,
		made:               true,
	}
}

// resolve returns a copy of c with the nil fields filled in, the set of origins and the token endpoint, or an error
// that names every problem of c and token.
func (c *Config) resolve(token *oauth2.Token) (*Config, map[string]bool, *tokenEndpoint, error) {
	if c == nil || !c.made {
		return nil, nil, nil, errors.New("authclient: use authclient.NewConfig to create a Config")
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
		problem("Store: the FileStore has an empty path")
	}

	endpoint := r.resolveClient(problem)
	origins := make(map[string]bool, len(r.Origins))
	if len(r.Origins) == 0 {
		problem("Origins is empty: it needs the base URLs of the API that the token is for")
	}
	for _, base := range r.Origins {
		u, err := weburl.Parse(base, r.AllowInsecureHTTP)
		if err == nil && weburl.HasQuery(u) {
			err = errors.New("the URL has a query")
		}
		if err != nil {
			problem("Origins: %q: %w", weburl.Redact(base), err)
			continue
		}
		origins[originOf(u)] = true
	}

	if r.MaxRetryBody < 0 {
		problem("MaxRetryBody is negative")
	}
	if r.Margin < 0 {
		problem("Margin is negative")
	}
	if r.Timeout <= 0 {
		problem("Timeout is %v, not positive", r.Timeout)
	}
	if r.Now == nil {
		problem("Now is nil")
	}
	if token != nil {
		if err := checkToken(token); err != nil {
			problems = append(problems, err)
		}
	} else if c.Store == nil {
		problem("there is no token: pass one to New, or set a Store that has one")
	}
	if len(problems) > 0 {
		return nil, nil, nil, errors.Join(problems...)
	}
	return &r, origins, endpoint, nil
}

// resolveClient checks c.OAuth2.
func (c *Config) resolveClient(problem func(format string, args ...any)) *tokenEndpoint {
	if c.OAuth2 == nil {
		problem("OAuth2 is nil")
		return nil
	}
	if c.OAuth2.ClientID == "" {
		problem("OAuth2.ClientID is empty")
	}
	switch c.OAuth2.Endpoint.AuthStyle {
	case oauth2.AuthStyleInParams:
	case oauth2.AuthStyleInHeader:
		if c.OAuth2.ClientSecret == "" {
			problem("OAuth2.Endpoint.AuthStyle: a client without a secret needs oauth2.AuthStyleInParams")
		}
	case oauth2.AuthStyleAutoDetect:
		problem("OAuth2.Endpoint.AuthStyle: it is not detected: set oauth2.AuthStyleInHeader (client_secret_basic) " +
			"or oauth2.AuthStyleInParams (client_secret_post, or no secret)")
	default:
		problem("OAuth2.Endpoint.AuthStyle: %d is unknown", c.OAuth2.Endpoint.AuthStyle)
	}
	raw := c.OAuth2.Endpoint.TokenURL
	if raw == "" {
		problem("OAuth2.Endpoint.TokenURL is empty")
		return nil
	}
	u, err := weburl.Parse(raw, c.AllowInsecureHTTP)
	if err != nil {
		problem("OAuth2.Endpoint.TokenURL: %q: %w", weburl.Redact(raw), err)
		return nil
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
