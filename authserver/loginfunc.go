package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"time"
)

// LoginFunc lets an application bring its own sign-in. It is called by the authorization endpoint, with r.URL the address that
// the browser has to come back to. With a Login the flow goes on; with nil and no error the function has answered the request
// itself, with a page or a redirect to one. fresh is true when the client asked for a new sign-in (prompt=login, or max_age has
// passed) or, with an id_token_hint, for another user than the one that the function has just returned. When the client asked
// that nobody be disturbed (prompt=none) what the function writes is dropped.
//
// ErrAccessDenied goes to the client as access_denied, any other error as server_error.
type LoginFunc func(w http.ResponseWriter, r *http.Request, fresh bool) (*Login, error)

// Login says who is signed in in a browser.
type Login struct {
	// Subject names the user: up to 1024 bytes of UTF-8 without U+0000, and so does a SessionID.
	Subject string
	// AuthTime is when the user proved who they are; zero: now.
	AuthTime time.Time
	// SessionID becomes the claim sid; empty: one is made up for the grant.
	SessionID string
	ACR       string
	AMR       []string
}

// applicationLogin asks Config.Login.
func (s *Server) applicationLogin(w http.ResponseWriter, r *http.Request, a *authorization, query string, fresh, none bool) (*Login, bool, *oauthError) {
	if none {
		w = dropped{http.Header{}}
	}
	ask := func(fresh bool, back string) (*Login, error) {
		in := r.Clone(r.Context())
		in.URL = &url.URL{Path: s.base + pathAuthorize, RawQuery: back}
		return s.cfg.Login(w, in, fresh)
	}
	back := query
	if fresh { // or the browser would be sent to sign in each time it comes back
		back = afterLogin(query)
	}
	l, err := ask(fresh, back)
	switch {
	case err != nil || l == nil:
	case !fresh && !l.AuthTime.IsZero() && s.exceedsMaxAge(a, l.AuthTime):
		l, err = ask(true, afterLogin(query))
	case !fresh && !none && !a.expects(l.Subject):
		// One more try. Whoever is signed in when the browser comes back is the answer, or the two would take turns for ever.
		l, err = ask(true, withPromptNone(query))
	}
	switch {
	case errors.Is(err, ErrAccessDenied):
		return nil, false, badRequest("access_denied", "the user may not sign in")
	case err != nil:
		return nil, false, &oauthError{status: http.StatusInternalServerError, code: "server_error", description: "sign-in failed", cause: err}
	case l != nil && l.Subject == "":
		return nil, false, &oauthError{status: http.StatusInternalServerError, code: "server_error", description: "sign-in failed",
			cause: errors.New("authserver: Login returned no subject")}
	case l == nil && none:
		return nil, false, badRequest("login_required", "nobody is signed in")
	case l != nil && !a.expects(l.Subject):
		return nil, false, badRequest("login_required", "somebody else is signed in")
	}
	return l, l == nil, nil
}

// dropped is a ResponseWriter to nowhere.
type dropped struct{ header http.Header }

func (d dropped) Header() http.Header         { return d.header }
func (d dropped) Write(b []byte) (int, error) { return len(b), nil }
func (d dropped) WriteHeader(int)             {}
