package authserver

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxNonce = 2048

// authorization is an authorization request that checkAuthorization has read.
type authorization struct {
	client      *Client
	redirectURI string // where the answer goes
	sentURI     string // as in the request; "" when it was left out
	state       string
	scopes      []string
	resources   []string
	challenge   string
	nonce       string
	loginHint   string // for the user name field
	subject     string // of the id_token_hint; "" for anybody
	formPost    bool   // the answer is a form that posts itself, not a redirect
	prompt      []string
	maxAge      time.Duration // negative: not asked for
}

// authorize is the authorization endpoint (RFC 6749, Section 4.1.1).
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	query, err := authorizeQuery(w, r)
	if err != nil {
		s.showProblem(w, http.StatusBadRequest, "The request is malformed.")
		return
	}
	a, refusal := s.checkAuthorization(r, query)
	if refusal != nil {
		if a == nil || a.redirectURI == "" { // never redirect to an address that may not be the client's
			s.showProblem(w, refusal.status, "The application that sent you here made a mistake: "+refusal.description+".")
			return
		}
		s.answer(w, r, a, url.Values{"error": {refusal.code}, "error_description": {refusal.description}})
		return
	}
	login, done, refusal := s.authenticateUser(w, r, a, query)
	if done {
		return
	}
	if refusal == nil {
		var code string
		if code, refusal = s.newCode(r, a, login); refusal == nil {
			s.answer(w, r, a, url.Values{"code": {code}})
			return
		}
	}
	if refusal.status >= 500 {
		s.log.ErrorContext(r.Context(), "authorization failed", "error", refusal)
	}
	s.answer(w, r, a, url.Values{"error": {refusal.code}, "error_description": {refusal.description}})
}

// authorizeQuery returns the parameters of a GET or a form POST, still encoded.
func authorizeQuery(w http.ResponseWriter, r *http.Request) (string, error) {
	switch r.Method {
	case http.MethodGet:
		if len(r.URL.RawQuery) > maxBody {
			return "", errors.New("authserver: the query is too long")
		}
		return r.URL.RawQuery, nil
	case http.MethodPost:
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		return string(body), err
	default:
		return "", errors.New("authserver: the method is neither GET nor POST")
	}
}

// answer sends the browser back to the client, with iss so that the client knows which server answers (RFC 9207).
func (s *Server) answer(w http.ResponseWriter, r *http.Request, a *authorization, params url.Values) {
	if a.state != "" {
		params.Set("state", a.state)
	}
	params.Set("iss", s.cfg.Issuer)
	if a.formPost {
		s.showFormPost(w, a.redirectURI, params)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", redirectURL(a.redirectURI, params))
	w.WriteHeader(http.StatusSeeOther) // a 307 would forward the password (RFC 9700, Section 4.12)
}

// checkAuthorization checks the client and the redirect URI first: before that nothing may be sent there. With a later
// error it returns as much as the answer needs.
func (s *Server) checkAuthorization(r *http.Request, query string) (*authorization, *oauthError) {
	form, err := url.ParseQuery(query)
	if err != nil {
		return nil, invalidRequest("the query is malformed")
	}
	if len(form["client_id"]) > 1 || len(form["redirect_uri"]) > 1 {
		return nil, invalidRequest("client_id or redirect_uri is there more than once")
	}
	c, err := s.client(r.Context(), form.Get("client_id"))
	if errors.Is(err, ErrNotFound) {
		return nil, invalidRequest("the client is unknown")
	}
	if err != nil {
		s.log.ErrorContext(r.Context(), "client lookup failed", "error", err)
		return nil, unavailable(err)
	}
	a := &authorization{client: c, sentURI: form.Get("redirect_uri")}
	switch {
	case a.sentURI == "" && len(c.RedirectURIs) == 1:
		a.redirectURI = c.RedirectURIs[0]
	case a.sentURI != "" && redirectAllowed(c, a.sentURI):
		a.redirectURI = a.sentURI
	default:
		return nil, invalidRequest("the redirect URI is not one of the client's")
	}
	p, refusal := newParams(form)
	if refusal != nil {
		if states := form["state"]; len(states) == 1 {
			a.state = states[0]
		}
		return a, refusal
	}
	if len(p.get("nonce")) > maxNonce { // the store keeps it until the code is exchanged
		return a, invalidRequest("nonce is too long")
	}
	a.state, a.nonce, a.loginHint, a.resources = p.get("state"), p.get("nonce"), p.get("login_hint"), p.resources()
	a.formPost = p.get("response_mode") == "form_post"
	if refusal := s.checkDetails(a, p); refusal != nil {
		return a, refusal
	}
	return a, s.checkIDTokenHint(r.Context(), a, p.get("id_token_hint"))
}

func (s *Server) checkDetails(a *authorization, p params) *oauthError {
	c := a.client
	switch {
	case p.get("request") != "":
		return badRequest("request_not_supported", "request objects are not supported")
	case p.get("request_uri") != "":
		return badRequest("request_uri_not_supported", "request objects are not supported")
	case p.get("response_type") == "":
		return invalidRequest("response_type is missing")
	case p.get("response_type") != "code":
		return badRequest("unsupported_response_type", "the only response type is code")
	case !slices.Contains([]string{"", "query", "form_post"}, p.get("response_mode")):
		return invalidRequest("the response modes are query and form_post")
	case !c.allows(grantTypeCode):
		return badRequest("unauthorized_client", "the client may not use the authorization code grant")
	}
	var ok bool
	if a.scopes, ok = parseScope(p.get("scope")); !ok || len(a.scopes) == 0 {
		return invalidScope("the scope is missing or malformed")
	}
	if !subset(a.scopes, c.Scopes) {
		return invalidScope("the client may not ask for one of the scopes")
	}
	if refusal := s.checkResources(a.resources, a.scopes); refusal != nil {
		return refusal
	}
	// The row keeps the resources for as long as the grant lives.
	a.resources = slices.Compact(slices.Sorted(slices.Values(a.resources)))
	a.challenge = p.get("code_challenge")
	switch method := p.get("code_challenge_method"); {
	case a.challenge == "" && method != "":
		return invalidRequest("code_challenge is missing")
	case a.challenge == "" && !c.DangerouslyOptionalPKCE:
		return invalidRequest("code_challenge is missing: PKCE is required")
	case a.challenge != "" && method != "S256":
		return invalidRequest("the only code_challenge_method is S256")
	case a.challenge != "" && !validChallenge(a.challenge):
		return invalidRequest("code_challenge is not a SHA-256 hash in base64url")
	}
	a.prompt = strings.Fields(p.get("prompt"))
	if !subset(a.prompt, []string{"none", "login", "consent", "select_account"}) ||
		slices.Contains(a.prompt, "none") && len(a.prompt) > 1 {
		return invalidRequest("prompt is malformed")
	}
	a.maxAge = -1
	if text := p.get("max_age"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil || seconds < 0 {
			return invalidRequest("max_age is not a number of seconds")
		}
		a.maxAge = time.Duration(seconds) * time.Second
	}
	return nil
}

// authenticateUser returns who is signed in. If that needs the login page, it shows the page and done is true.
func (s *Server) authenticateUser(
	w http.ResponseWriter, r *http.Request, a *authorization, query string,
) (l *Login, done bool, refusal *oauthError) {
	none := slices.Contains(a.prompt, "none")
	fresh := slices.Contains(a.prompt, "login") || slices.Contains(a.prompt, "select_account")
	if s.cfg.Login != nil {
		return s.applicationLogin(w, r, a, query, fresh, none)
	}
	if in := s.browserLogin(r); in != nil && !fresh {
		u, err := s.cfg.Users.User(r.Context(), in.Subject)
		switch {
		case err == nil && !s.exceedsMaxAge(a, in.AuthTime) && !in.AuthTime.Before(u.SignInAgainAfter) &&
			a.expects(in.Subject):
			return &Login{Subject: in.Subject, AuthTime: in.AuthTime, SessionID: in.ID, AMR: []string{"pwd"}}, false, nil
		case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrAccessDenied):
			return nil, false, unavailable(err)
		}
	}
	if none {
		return nil, false, badRequest("login_required", "nobody is signed in, or somebody else")
	}
	s.showLogin(w, r, http.StatusOK, a, query, a.loginHint, "")
	return nil, true, nil
}

// exceedsMaxAge reports whether max_age asks for a newer sign-in.
func (s *Server) exceedsMaxAge(a *authorization, signedIn time.Time) bool {
	return a.maxAge >= 0 && s.now().Sub(signedIn) > a.maxAge
}
