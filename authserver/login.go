package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const signInUnavailable = "Signing in is not possible at the moment. Please try again."

// showLogin shows the form. Nothing on it tells whether a user exists.
func (s *Server) showLogin(
	w http.ResponseWriter, r *http.Request, status int, a *authorization, query, username, problem string,
) {
	s.showPage(w, status, "login", page{Title: "Sign in", Client: a.client.Name, Problem: problem,
		Action: s.base + pathLogin, Return: packQuery(query), CSRF: s.csrfToken(w, r, query),
		Username: username, Allows: formAction(a.redirectURI)})
}

// login reads the form of the login page.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	if s.cfg.Login != nil || s.cfg.Users == nil {
		http.NotFound(w, r)
		return
	}
	p, refusal := readForm(w, r)
	if refusal != nil {
		s.showProblem(w, refusal.status, "The form could not be read. Please try again.")
		return
	}
	query, ok := unpackQuery(p.get("return"))
	a, refusal := s.checkAuthorization(r, query)
	if !ok || refusal != nil {
		s.showProblem(w, http.StatusBadRequest, "Please start again from the application that sent you here.")
		return
	}
	// A form of another site could sign the user in as somebody else.
	if s.sameSite.Check(r) != nil || !s.checkCSRF(r, p.get("csrf"), query) {
		s.showLogin(w, r, http.StatusForbidden, a, query, p.get("username"),
			"This form is no longer valid. Please try again.")
		return
	}
	username := p.get("username")
	if wait := s.throttle.attempt(username, r.RemoteAddr, s.now()); wait > 0 {
		s.event(r.Context(), Event{Kind: "login.throttled", ClientID: a.client.ID})
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		s.showLogin(w, r, http.StatusTooManyRequests, a, query, username, "Too many attempts. Please wait a few minutes.")
		return
	}
	u, err := s.cfg.Users.Authenticate(r.Context(), username, p.get("password"))
	switch {
	case errors.Is(err, ErrAccessDenied) || errors.Is(err, ErrNotFound):
		s.event(r.Context(), Event{Kind: "login.failed", ClientID: a.client.ID})
		s.showLogin(w, r, http.StatusForbidden, a, query, username, "User name or password is wrong.")
		return
	case err != nil:
		s.log.ErrorContext(r.Context(), "login failed", "error", err)
		s.showLogin(w, r, http.StatusServiceUnavailable, a, query, username, signInUnavailable)
		return
	}
	s.throttle.succeeded(username, r.RemoteAddr)
	// The client must get the user that it named, or an error (OpenID Connect Core, Section 3.1.2.1).
	if !a.expects(u.Subject) {
		s.event(r.Context(), Event{Kind: "login.failed", ClientID: a.client.ID, Subject: u.Subject,
			Reason: "another user was asked for"})
		s.showLogin(w, r, http.StatusForbidden, a, query, "",
			"Please sign in with the account that the application asked for.")
		return
	}
	if err := s.startBrowserLogin(w, u.Subject); err != nil {
		s.log.ErrorContext(r.Context(), "login failed", "error", err)
		s.showProblem(w, http.StatusInternalServerError, signInUnavailable)
		return
	}
	s.event(r.Context(), Event{Kind: "login.succeeded", ClientID: a.client.ID, Subject: u.Subject})
	http.Redirect(w, r, s.base+pathAuthorize+"?"+afterLogin(query), http.StatusSeeOther)
}

// afterLogin removes from the request what has just been done, or the user would be asked again.
func afterLogin(query string) string {
	form, err := url.ParseQuery(query)
	if err != nil {
		return query
	}
	form.Del("max_age")
	prompt := strings.Fields(form.Get("prompt"))
	form.Del("prompt")
	for _, word := range prompt {
		if word == "consent" {
			form.Set("prompt", word)
		}
	}
	return form.Encode()
}

// withPromptNone turns a request into one that is answered at once, whoever is signed in by then.
func withPromptNone(query string) string {
	form, err := url.ParseQuery(query)
	if err != nil {
		return query
	}
	form.Del("max_age")
	form.Set("prompt", "none")
	return form.Encode()
}
