package authserver

import (
	"net/http"
)

// revoke is the revocation endpoint (RFC 7009). Any refresh token of a family, however old, ends the whole family, and so does an
// access token that was issued under it. The answer is 200 for whatever the client presents, so that it tells nothing.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	p, refusal := readForm(w, r)
	if refusal == nil {
		var c *Client
		if c, refusal = s.authenticate(r, p); refusal == nil {
			s.originAllowed(w, r, c)
			if refusal = s.revokeToken(r, c, p); refusal == nil {
				noStore(w)
				w.WriteHeader(http.StatusOK)
				return
			}
		}
	}
	s.refuse(w, r, refusal)
}

func (s *Server) revokeToken(r *http.Request, c *Client, p *params) *oauthError {
	token := p.get("token")
	if token == "" {
		return invalidRequest("token is missing")
	}
	ctx := r.Context()
	id := ""
	if _, isRefresh := refreshToken.parse(token); isRefresh {
		_, g, refusal := s.presented(ctx, refreshToken, token)
		if refusal != nil && refusal.status >= 500 {
			return refusal
		}
		if refusal == nil && g.ClientID == c.ID {
			id = g.ID
		}
	} else if access, err := s.bearer.Validator().Validate(ctx, token); err == nil && access.ClientID == c.ID {
		id = grantOf(access.ID)
	}
	if id == "" {
		return nil
	}
	if _, err := s.Revoke(ctx, Selector{ID: id, ClientID: c.ID}, "client"); err != nil {
		return unavailable(err)
	}
	return nil
}
