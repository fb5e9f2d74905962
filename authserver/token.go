package authserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
)

// clientEndpoint makes an endpoint for authenticated clients: it reads the form, finds out who sends it, and writes what work returns;
// nil as an empty answer.
func (s *Server) clientEndpoint(work func(ctx context.Context, c *Client, p params) (any, *oauthError)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, refusal := readForm(w, r)
		if refusal != nil {
			s.refuse(w, r, refusal)
			return
		}
		c, refusal := s.authenticate(r, p)
		if refusal != nil {
			s.refuse(w, r, refusal)
			return
		}
		s.restrictOrigin(w, r, c)
		answer, refusal := work(r.Context(), c, p)
		s.reply(w, r, answer, refusal)
	}
}

func (s *Server) reply(w http.ResponseWriter, r *http.Request, answer any, refusal *oauthError) {
	switch {
	case refusal != nil:
		s.refuse(w, r, refusal)
	case answer != nil:
		writeJSON(w, http.StatusOK, answer)
	default:
		noStore(w)
		w.WriteHeader(http.StatusOK)
	}
}

// token is the token endpoint (RFC 6749 section 3.2), once the client is known. The order of the checks matters: nothing is written
// before the one atomic step at the end of a grant, so that a request that fails leaves code and refresh token as they were.
func (s *Server) token(ctx context.Context, c *Client, p params) (any, *oauthError) {
	t, refusal := s.exchange(ctx, c, p)
	return t, refusal
}

func (s *Server) exchange(ctx context.Context, c *Client, p params) (*Tokens, *oauthError) {
	name := p.get("grant_type")
	var run func(*Server, context.Context, *Client, params) (*Tokens, *oauthError)
	switch name {
	case "":
		return nil, invalidRequest("grant_type is missing")
	case grantTypeCode:
		run = (*Server).exchangeCode
	case grantTypeRefresh:
		run = (*Server).exchangeRefreshToken
	case grantTypeCredentials:
		run = (*Server).clientCredentials
	default:
		return nil, badRequest("unsupported_grant_type", "the grant type is not supported")
	}
	if !c.allows(name) {
		return nil, badRequest("unauthorized_client", "the client may not use this grant type")
	}
	return run(s, ctx, c, p)
}

// refreshJSON is the refresh grant with a JSON body. A public client need not name itself: the refresh token says who it is.
func (s *Server) refreshJSON(w http.ResponseWriter, r *http.Request) {
	p, refusal := readJSON(w, r)
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	c, refusal := s.authenticate(r, p)
	if refusal != nil && errors.Is(refusal, errNoClient) {
		c, refusal = s.publicClientOf(r.Context(), p)
	}
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	s.restrictOrigin(w, r, c)
	t, refusal := s.exchangeJSON(r.Context(), c, p)
	s.reply(w, r, t, refusal)
}

func (s *Server) exchangeJSON(ctx context.Context, c *Client, p params) (*Tokens, *oauthError) {
	if name := p.get("grant_type"); name != "" && name != grantTypeRefresh {
		return nil, badRequest("unsupported_grant_type", "the only grant type here is refresh_token")
	}
	return s.exchange(ctx, c, p)
}

// publicClientOf returns the public client that a refresh token was issued to.
func (s *Server) publicClientOf(ctx context.Context, p params) (*Client, *oauthError) {
	switch name := p.get("grant_type"); {
	case name == "":
		return nil, invalidRequest("grant_type is missing")
	case name != grantTypeRefresh:
		return nil, badRequest("unsupported_grant_type", "the only grant type here is refresh_token")
	case p.get("refresh_token") == "":
		return nil, invalidRequest("refresh_token is missing")
	}
	_, g, refusal := s.loadPresented(ctx, refreshToken, p.get("refresh_token"))
	if refusal != nil {
		return nil, refusal
	}
	c, err := s.client(ctx, g.ClientID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, unavailable(err)
	}
	if err != nil || !c.public() {
		return nil, invalidClient(errNoClient)
	}
	return c, nil
}

// loadPresented takes a token apart, loads its row and checks that the server made the token. What fails here has no effect on any
// grant, whoever sends it.
func (s *Server) loadPresented(ctx context.Context, kind opaqueKind, token string) (opaque, Grant, *oauthError) {
	o, ok := kind.parse(token)
	if !ok {
		return o, Grant{}, invalidGrant(kind.invalid)
	}
	g, err := s.cfg.Store.Grant(ctx, o.grantID())
	if errors.Is(err, ErrNotFound) {
		return o, Grant{}, invalidGrant(kind.invalid)
	}
	if err != nil {
		return o, Grant{}, unavailable(err)
	}
	if !s.ring.verify(kind, &o, &g) {
		s.event(ctx, Event{Kind: kind.forged, ClientID: g.ClientID, GrantID: g.ID, Generation: o.gen, Current: g.Generation})
		return o, Grant{}, invalidGrant(kind.invalid)
	}
	return o, g, nil
}

// requestedScopes narrows a grant's scopes to what the request asks for and the client may still have.
func requestedScopes(c *Client, granted []string, p params) ([]string, *oauthError) {
	if p.get("scope") == "" {
		return intersect(granted, c.Scopes), nil
	}
	asked, ok := parseScope(p.get("scope"))
	if !ok || len(asked) == 0 {
		return nil, invalidScope("the scope is malformed")
	}
	if !subset(asked, granted) || !subset(asked, c.Scopes) {
		return nil, invalidScope("the scope goes beyond what was granted")
	}
	return asked, nil
}

// requestedResources narrows a grant's resources to what the request asks for, and to those that one of the scopes still is for: an API
// that looks at the audience alone would take a token that the client may not have any more.
func (s *Server) requestedResources(g *Grant, scopes []string, p params) ([]string, *oauthError) {
	if len(p.resources()) == 0 {
		left := slices.DeleteFunc(slices.Clone(g.Resources), func(res string) bool { return !overlap(scopes, s.cfg.Resources[res]) })
		if len(left) == 0 && len(g.Resources) > 0 { // with none the token would be for all that the scopes are for
			return nil, invalidTarget("no scope of the resource is granted")
		}
		return left, nil
	}
	if len(g.Resources) > 0 && !subset(p.resources(), g.Resources) {
		return nil, invalidTarget("the resource goes beyond what was granted")
	}
	if refusal := s.checkResources(p.resources(), scopes); refusal != nil {
		return nil, refusal
	}
	return slices.Clone(p.resources()), nil
}

// clientCredentials is the client credentials grant (RFC 6749 section 4.4): no user, no refresh token, no row.
func (s *Server) clientCredentials(ctx context.Context, c *Client, p params) (*Tokens, *oauthError) {
	if c.public() {
		return nil, badRequest("unauthorized_client", "a public client may not use this grant type")
	}
	own := slices.DeleteFunc(slices.Clone(c.Scopes), func(scope string) bool { _, id := identityScopes[scope]; return id })
	scopes, refusal := requestedScopes(c, own, p)
	if refusal != nil {
		return nil, refusal
	}
	if len(scopes) == 0 {
		return nil, invalidScope("the client has no scope")
	}
	if refusal := s.checkResources(p.resources(), scopes); refusal != nil {
		return nil, refusal
	}
	t, _, refusal := s.sign(ctx, &issue{grantType: grantTypeCredentials, client: c, subject: c.ID, scopes: scopes, resources: p.resources()})
	if refusal != nil {
		return nil, refusal
	}
	s.event(ctx, Event{Kind: "token.issued", GrantType: grantTypeCredentials, ClientID: c.ID})
	return t, nil
}
