package authserver

import (
	"context"
	"errors"
	"net/http"
)

// refreshJSON is the refresh token grant with a JSON body, see the package documentation. A public client need not name
// itself: its refresh token does.
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
	t, refusal := s.refreshByJSON(r.Context(), c, p)
	s.reply(w, r, t, refusal)
}

func (s *Server) refreshByJSON(ctx context.Context, c *Client, p params) (any, *oauthError) {
	if name := p.get("grant_type"); name != "" && name != grantTypeRefresh {
		return nil, badRequest("unsupported_grant_type", "the only grant type here is refresh_token")
	}
	return s.token(ctx, c, p)
}

// publicClientOf returns the public client that the refresh token was issued to.
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
