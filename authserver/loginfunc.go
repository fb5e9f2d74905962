package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"time"
)

// LoginFunc is the sign-in of an application. The authorization endpoint calls it with r.URL set to the address that
// the browser must come back to. If the function returns a Login, the flow goes on. If it returns nil and no error, it
// has answered the request itself, with a page or a redirect to one.
//
// fresh is true if the client asks for a new sign-in (prompt=login, or max_age has passed), or if its id_token_hint
// names another user than the function has just returned. If the client forbids a page (prompt=none), what the function
// writes is discarded.
//
// ErrAccessDenied goes to the client as access_denied, any other error as server_error.
type LoginFunc func(w http.ResponseWriter, r *http.Request, fresh bool) (*Login, error)

// Login is who is signed in at a browser.
type Login struct {
	// Subject names the user. Like SessionID, it has up to 1024 bytes of UTF-8 without U+0000.
	Subject string
	// AuthTime is when the user authenticated. Zero means now.
	AuthTime time.Time
	// SessionID becomes the claim sid. Empty means the id of the grant.
	SessionID string
	ACR       string
	AMR       []string
}

// applicationLogin calls Config.Login. done is true if that has answered the request.
func (s *Server) applicationLogin(
	w http.ResponseWriter, r *http.Request, a *authorization, query string, fresh, none bool,
) (l *Login, done bool, refusal *oauthError) {
	if none {
		w = discarded{http.Header{}}
	}
	ask := func(fresh bool, back string) (*Login, error) {
		in := r.Clone(r.Context())
		in.URL = &url.URL{Path: s.base + pathAuthorize, RawQuery: back}
		return s.cfg.Login(w, in, fresh)
	}
	back := query
	if fresh { // otherwise the browser would be sent to sign in each time it comes back
		back = afterLogin(query)
	}
	l, err := ask(fresh, back)
	switch {
	case err != nil || l == nil:
	case !fresh && !l.AuthTime.IsZero() && s.exceedsMaxAge(a, l.AuthTime):
		l, err = ask(true, afterLogin(query))
	case !fresh && !none && !a.expects(l.Subject):
		// One more try. Whoever is signed in when the browser comes back is the answer; otherwise it would never end.
		l, err = ask(true, withPromptNone(query))
	}
	switch {
	case errors.Is(err, ErrAccessDenied):
		return nil, false, badRequest("access_denied", "the user may not sign in")
	case err != nil:
		return nil, false, serverError("sign-in failed", err)
	case l != nil && l.Subject == "":
		return nil, false, serverError("sign-in failed", errors.New("authserver: Login returned no subject"))
	case l == nil && none:
		return nil, false, badRequest("login_required", "nobody is signed in")
	case l != nil && !a.expects(l.Subject):
		return nil, false, badRequest("login_required", "somebody else is signed in")
	}
	return l, l == nil, nil
}

// discarded is a ResponseWriter that discards what is written.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header         { return d.header }
func (d discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d discarded) WriteHeader(int)             {}
