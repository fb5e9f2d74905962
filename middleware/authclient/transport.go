package authclient

import (
	"context"
	"io"
	"net/http"

	"golang.org/x/oauth2"
)

// Transport sends requests with the access token of one session, and refreshes it. It is an [http.RoundTripper] and an
// [oauth2.TokenSource]; all methods may be called at the same time. Make it with [New].
type Transport struct {
	cfg     *Config
	origins map[string]bool
	session *session
}

// New returns the Transport of one session. Token is what the sign-in brought; nil means that cfg.Store has it.
//
// With both a token and a Store, the stored one is preferred if it expires later: then another process, or this one
// before it was started again, has refreshed since. A token given here is stored with the first refresh; after a sign-in
// [Transport.SetToken] stores it at once. So where several processes share a Store it is best to give nil here and the
// token of a sign-in to SetToken: then there is no doubt which is the newer one.
//
// New does no I/O and starts nothing. Bad configuration is an error that names all problems.
func New(cfg *Config, token *oauth2.Token) (*Transport, error) {
	resolved, origins, endpoint, err := cfg.resolve(token)
	if err != nil {
		return nil, err
	}
	return &Transport{cfg: resolved, origins: origins, session: newSession(resolved, endpoint, token)}, nil
}

// RoundTrip sends req, with the session's access token if req goes to one of the origins and has no Authorization header
// of its own. Req is not changed and its body is always closed.
//
// After a 401 that says invalid_token it refreshes and sends req once more, if the body can be had again (none, GetBody,
// or at most MaxReplayBody bytes); otherwise, and when there is no better token, the 401 is returned as it came.
// Before anything is sent the error may be ErrSessionEnded or ErrRefreshFailed, wrapped; or req's context's own.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	origin := originOf(req.URL)
	if !t.attaches(req, origin) {
		return t.cfg.Base.RoundTrip(req)
	}
	used, err := t.session.usable(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	body, err := bodyOf(req, t.cfg.MaxReplayBody)
	if err != nil {
		return nil, err
	}
	resp, err := t.send(req, body.first, used)
	if err != nil {
		return nil, err
	}
	switch judge(resp, req.Method, t.cfg.Lenient, used.expired(t.cfg.Now())) {
	case silent:
		return resp, nil
	case accepted:
		t.session.accept(used, origin)
		return resp, nil
	}
	if body.again == nil || !t.cfg.ReplayUnsafe && !idempotent(req) {
		t.session.spoil(used, origin)
		return resp, nil
	}
	fresh, err := t.session.replace(req.Context(), used, origin)
	if err != nil {
		if ctxErr := req.Context().Err(); ctxErr != nil {
			_ = resp.Body.Close()
			return nil, ctxErr
		}
		return resp, nil // a response was obtained, so it is returned whatever became of the refresh
	}
	return t.replay(req, resp, body, fresh, origin)
}

// replay sends req a second time, with another token. Whatever comes back is the answer.
func (t *Transport) replay(req *http.Request, refused *http.Response, body requestBody, fresh *held, origin string) (*http.Response, error) {
	again, err := body.again()
	if err != nil {
		return refused, nil
	}
	discard(refused)
	resp, err := t.send(req, again, fresh)
	if err != nil {
		return nil, err
	}
	switch judge(resp, req.Method, t.cfg.Lenient, fresh.expired(t.cfg.Now())) {
	case accepted:
		t.session.accept(fresh, origin)
	case invalid:
		// This API refuses new tokens too: for its audience, its clock, its keys. Refreshing for each request would
		// help nobody and load the authorization server.
		t.session.reject(fresh, origin)
	}
	return resp, nil
}

// attaches reports whether our token belongs on req.
func (t *Transport) attaches(req *http.Request, origin string) bool {
	return t.origins[origin] && !hasAuthorization(req.Header) && !crossed(req, origin) && !t.session.endpoint.is(req.URL)
}

// send sends a copy of req with h's token.
func (t *Transport) send(req *http.Request, body io.ReadCloser, h *held) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Body = body
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Set("Authorization", scheme(h.token)+" "+h.token.AccessToken)
	resp, err := t.cfg.Base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// Not r: whoever logs resp.Request must not find the token there, and crossed follows this chain.
	resp.Request = req
	return resp, nil
}

// Do sends req as an http.Client over t does, for who wants authentication above the HTTP client and not inside it. It
// follows redirects, keeps no cookies and has no timeout but req's context.
func (t *Transport) Do(req *http.Request) (*http.Response, error) {
	return (&http.Client{Transport: t}).Do(req)
}

// Token returns a token that is good to use now, refreshed if need be: t is an [oauth2.TokenSource]. It waits for at most
// the Timeout of the Config. The errors are those of RoundTrip.
func (t *Transport) Token() (*oauth2.Token, error) {
	h, err := t.session.usable(context.Background())
	if err != nil {
		return nil, err
	}
	return cloneToken(h.token), nil
}

// Current returns a copy of the token held now, good or not, without any I/O; nil if there is none yet.
func (t *Transport) Current() *oauth2.Token { return t.session.current() }

// Refresh refreshes the token now, however long it is still good, and returns the new one. It joins a refresh that is under
// way; it does not shorten the pause after a failed one, whose error it then returns.
func (t *Transport) Refresh(ctx context.Context) (*oauth2.Token, error) {
	h, err := t.session.renewNow(ctx)
	if err != nil {
		return nil, err
	}
	return cloneToken(h.token), nil
}

// SetToken puts token, from a new sign-in, in the place of what was there and saves it to the Store. It ends the state
// after ErrSessionEnded; what a refresh that is under way brings is thrown away. If the Store fails the token is in force
// all the same and the error says so. The Save hook is not called: it is the caller who has the token.
func (t *Transport) SetToken(ctx context.Context, token *oauth2.Token) error {
	if err := checkToken(token); err != nil {
		return err
	}
	return t.session.set(ctx, token)
}

// CloseIdleConnections closes the idle connections of Base, if it can. http.Client.CloseIdleConnections calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.cfg.Base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// String names the type and nothing of what is in it, so that no print shows a token.
func (t *Transport) String() string { return "authclient.Transport" }

// GoString is String, for %#v.
func (t *Transport) GoString() string { return t.String() }
