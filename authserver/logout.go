package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/bearergate/bearergate/jwks"
)

// logout is OpenID Connect RP-Initiated Logout. It ends the login at the browser and revokes every grant that came from
// it. With an ID token of the same login it does so at once. Otherwise it asks the user first, so that no other site
// can sign the user out.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	query, err := authorizeQuery(w, r)
	if err != nil {
		s.showProblem(w, http.StatusBadRequest, "The request is malformed.")
		return
	}
	confirmed := false
	form, err := url.ParseQuery(query)
	if err == nil && r.Method == http.MethodPost && form.Has("csrf") {
		if s.sameSite.Check(r) != nil || !s.checkCSRF(r, form.Get("csrf"), "logout"+form.Get("return")) {
			s.showProblem(w, http.StatusForbidden, "This form is no longer valid. Please try again.")
			return
		}
		confirmed = true
		query, _ = unpackQuery(form.Get("return")) // the CSRF token covers it, so packQuery made it
		form, err = url.ParseQuery(query)
	}
	if err != nil {
		s.showProblem(w, http.StatusBadRequest, "The request is malformed.")
		return
	}
	p, refusal := newParams(form)
	if refusal != nil {
		s.showProblem(w, http.StatusBadRequest, "The request is malformed.")
		return
	}
	ctx, cancel := withoutCancel(r.Context())
	defer cancel()
	// A hint that does not verify says nothing; then the user is asked.
	h, err := s.readIDTokenHint(ctx, p.get("id_token_hint"))
	if p.get("id_token_hint") != "" && errors.Is(err, jwks.ErrUnavailable) {
		s.logoutFailed(w, r, err) // it may name the login that must end
		return
	}
	clientID, sid := h.clientID, h.sessionID
	if named := p.get("client_id"); clientID == "" {
		clientID = named
	} else if named != "" && named != clientID {
		s.showProblem(w, http.StatusBadRequest, "The request names two different applications.")
		return
	}
	target, ok := s.afterLogout(r, clientID, p)
	if !ok {
		s.showProblem(w, http.StatusBadRequest, "The address to return to is not one of the application's.")
		return
	}
	in := s.browserLogin(r)
	if !confirmed && in != nil && (sid == "" || sid != in.ID) {
		s.showPage(w, http.StatusOK, "logout", page{Title: "Do you want to sign out?", Action: s.base + pathEndSession,
			Return: packQuery(query), CSRF: s.csrfToken(w, r, "logout"+packQuery(query)), Allows: formAction(target)})
		return
	}
	if in != nil {
		sid = in.ID
	}
	if sid != "" {
		if err := s.revokeDetached(r.Context(), Selector{SessionID: sid}, "logout"); err != nil {
			s.logoutFailed(w, r, err)
			return
		}
	}
	s.endBrowserLogin(w)
	s.event(r.Context(), Event{Kind: "logout", ClientID: clientID})
	if target == "" {
		s.showPage(w, http.StatusOK, "message", page{Title: "Signed out", Problem: "You are signed out."})
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) logoutFailed(w http.ResponseWriter, r *http.Request, err error) {
	s.log.ErrorContext(r.Context(), "logout failed", "error", err)
	s.showProblem(w, http.StatusServiceUnavailable, "Signing out is not possible at the moment. Please try again.")
}

// afterLogout returns where to send the browser, "" for nowhere. It reports false for an address that is not
// registered.
func (s *Server) afterLogout(r *http.Request, clientID string, p params) (string, bool) {
	uri := p.get("post_logout_redirect_uri")
	if uri == "" {
		return "", true
	}
	c, err := s.client(r.Context(), clientID)
	if err != nil || !slices.Contains(c.PostLogoutRedirectURIs, uri) {
		return "", false
	}
	if state := p.get("state"); state != "" {
		uri = redirectURL(uri, url.Values{"state": {state}})
	}
	return uri, true
}
