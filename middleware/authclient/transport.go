package authclient

import (
	"context"
	"errors"
	"io"
	"net/http"

	"golang.org/x/oauth2"
)

var (
	// ErrLoginRequired means that only a new login and [Transport.SetToken] help. The authorization server has
	// answered a refresh with invalid_grant, or the access token has expired and there is no refresh token, or there
	// is no token at all. An error wraps it together with the cause, which is an [*oauth2.RetrieveError] if the
	// server answered.
	ErrLoginRequired = errors.New("authclient: login required")

	// ErrRefreshFailed means that the access token has expired and could not be refreshed now: the authorization server
	// cannot be reached, is overloaded, or rejects the client. A later request tries again. An error wraps it together
	// with the cause, which is an [*oauth2.RetrieveError] if the server answered.
	ErrRefreshFailed = errors.New("authclient: refresh failed")
)

// Transport sends requests with the access token of one grant, and refreshes it. It is an [http.RoundTripper] and an
// [oauth2.TokenSource]. Its methods are safe for concurrent use. Make it with [New].
type Transport struct {
	cfg       *Config
	origins   map[string]bool
	refresher *refresher
}

// New returns the Transport of one grant. Token is the result of the login; nil means that cfg.Store has it.
//
// With both a token and a Store, the stored token is used if it expires later, because it was refreshed since. A token
// that is given here is stored at its first refresh, whereas [Transport.SetToken] stores it at once. So where several
// processes share a Store, give nil to New and the token of a login to SetToken: then it is clear which one is newer.
//
// New does no I/O and starts nothing. Its error names every problem of cfg at once.
func New(cfg *Config, token *oauth2.Token) (*Transport, error) {
	resolved, origins, endpoint, err := cfg.resolve(token)
	if err != nil {
		return nil, err
	}
	return &Transport{cfg: resolved, origins: origins, refresher: newRefresher(resolved, endpoint, token)}, nil
}

// RoundTrip sends req. It adds the access token if req goes to one of the origins and has no Authorization header of
// its own. It does not change req, and always closes its body.
//
// After a 401 with error invalid_token it refreshes and sends req once more, if the body is available again: none,
// GetBody, or at most MaxRetryBody bytes. Otherwise, and when there is no better token, it returns the 401 unchanged.
//
// If nothing was sent, the error may wrap ErrLoginRequired or ErrRefreshFailed, or be that of req's context.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	origin := originOf(req.URL)
	if !t.attachesToken(req, origin) {
		return t.cfg.Base.RoundTrip(req)
	}
	token, err := t.refresher.validToken(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	body, err := bodyOf(req, t.cfg.MaxRetryBody)
	if err != nil {
		return nil, err
	}
	resp, err := t.send(req, body.first, token)
	if err != nil || !t.rejected(resp, req.Method, token, origin) {
		return resp, err
	}
	if !t.cfg.retryable(req, body) {
		t.refresher.markRejected(token, origin)
		return resp, nil
	}
	next, err := t.refresher.replaceRejected(req.Context(), token, origin)
	if ctxErr := req.Context().Err(); err != nil && ctxErr != nil {
		_ = resp.Body.Close()
		return nil, ctxErr
	}
	if err != nil {
		return resp, nil // a RoundTripper returns the response that it got, whatever became of the refresh
	}
	return t.retry(req, resp, body, next, origin)
}

// retry sends req a second time, with another token. The answer is returned, whatever it is.
func (t *Transport) retry(
	req *http.Request, first *http.Response, body requestBody, token *cachedToken, origin string,
) (*http.Response, error) {
	again, err := body.again()
	if err != nil {
		return first, nil
	}
	discard(first)
	resp, err := t.send(req, again, token)
	if err == nil && t.rejected(resp, req.Method, token, origin) {
		t.refresher.markRetryRejected(token, origin)
	}
	return resp, err
}

// attachesToken reports whether our token belongs on req.
func (t *Transport) attachesToken(req *http.Request, origin string) bool {
	return t.origins[origin] && !hasAuthorization(req.Header) && !redirectedAcrossOrigins(req, origin) &&
		!t.refresher.endpoint.is(req.URL)
}

// send sends a copy of req with the token.
func (t *Transport) send(req *http.Request, body io.ReadCloser, token *cachedToken) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Body = body
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Set("Authorization", scheme(token.token)+" "+token.token.AccessToken)
	resp, err := t.cfg.Base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// Not r: whoever logs resp.Request must not find the token there. redirectedAcrossOrigins follows this chain.
	resp.Request = req
	return resp, nil
}

// rejected reports whether resp means that the API has rejected the token. It records that the API has accepted it.
func (t *Transport) rejected(resp *http.Response, method string, token *cachedToken, origin string) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		t.refresher.markAccepted(token, origin)
		return false
	}
	return rejectsToken(resp.Header) ||
		t.cfg.Lenient && maybeRejectsToken(resp.Header) && (readOnly(method) || token.expired(t.cfg.Now()))
}

// Do sends req like an http.Client over t, for callers that want authentication above the HTTP client. It follows
// redirects, keeps no cookies, and has no timeout except req's context.
func (t *Transport) Do(req *http.Request) (*http.Response, error) {
	return (&http.Client{Transport: t}).Do(req)
}

// Token returns a token that is valid now, refreshed if necessary: t is an [oauth2.TokenSource]. It waits at most
// Config.Timeout. Its errors are those of RoundTrip.
func (t *Transport) Token() (*oauth2.Token, error) {
	token, err := t.refresher.validToken(context.Background())
	if err != nil {
		return nil, err
	}
	return cloneToken(token.token), nil
}

// Current returns a copy of the cached token, valid or not, or nil if there is none yet. It does no I/O.
func (t *Transport) Current() *oauth2.Token { return t.refresher.current() }

// Refresh refreshes the token now, even if it is still valid, and returns the new one. It joins a refresh that is in
// progress. During the pause after a failed refresh it returns the error of that refresh.
func (t *Transport) Refresh(ctx context.Context) (*oauth2.Token, error) {
	token, err := t.refresher.refreshNow(ctx)
	if err != nil {
		return nil, err
	}
	return cloneToken(token.token), nil
}

// SetToken replaces the token with one from a new login, and saves it to the Store. Requests stop failing with
// ErrLoginRequired. The result of a refresh that is in progress is discarded. If the Store fails, the token is used all
// the same, and the error says why. The Save hook is not called: the caller has the token already.
func (t *Transport) SetToken(ctx context.Context, token *oauth2.Token) error {
	if err := checkToken(token); err != nil {
		return err
	}
	return t.refresher.setToken(ctx, token)
}

// CloseIdleConnections closes the idle connections of Base, if Base supports that. http.Client.CloseIdleConnections
// calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.cfg.Base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// String returns the name of the type, so that no print shows a token.
func (t *Transport) String() string { return "authclient.Transport" }

// GoString returns String, for %#v.
func (t *Transport) GoString() string { return t.String() }
