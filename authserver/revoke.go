package authserver

import (
	"context"
	"errors"

	"github.com/bearergate/bearergate/middleware"
)

// revoke is the revocation endpoint (RFC 7009). Any refresh token of a grant, however old, ends the whole grant, and so does an
// access token that was issued under it. The answer is 200 for whatever the client presents, so that it tells nothing.
func (s *Server) revoke(ctx context.Context, c *Client, p params) (any, *oauthError) {
	token := p.get("token")
	if token == "" {
		return nil, invalidRequest("token is missing")
	}
	ctx, cancel := withoutCancel(ctx)
	defer cancel()
	id := ""
	if _, isRefresh := refreshToken.parse(token); isRefresh {
		_, g, refusal := s.loadPresented(ctx, refreshToken, token)
		if refusal != nil && refusal.status >= 500 {
			return nil, refusal
		}
		if refusal == nil && g.ClientID == c.ID {
			id = g.ID
		}
	} else if access, err := s.bearer.Validator().Validate(ctx, token); errors.Is(err, middleware.ErrKeysUnavailable) {
		return nil, unavailable(err) // 200 would say that the grant is revoked (RFC 7009 section 2.2.1)
	} else if err == nil && access.ClientID() == c.ID {
		id, _ = parseAccessTokenID(access.ID())
	}
	if id == "" {
		return nil, nil
	}
	if err := s.revokeDetached(ctx, Selector{ID: id, ClientID: c.ID}, "client"); err != nil {
		return nil, unavailable(err)
	}
	return nil, nil
}
