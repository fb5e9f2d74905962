package authserver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/bearergate/bearergate/middleware"
)

// introspect is the introspection endpoint (RFC 7662), for confidential clients. A client learns about its own tokens
// and about access tokens for the resources that it serves (Client.Serves). All others are inactive for it.
func (s *Server) introspect(ctx context.Context, c *Client, p params) (any, *oauthError) {
	if c.public() {
		return nil, s.clientFailed(ctx, c.ID, errors.New("authserver: a public client may not introspect"))
	}
	if p.get("token") == "" {
		return nil, invalidRequest("token is missing")
	}
	answer, refusal := s.introspection(ctx, c, p.get("token"))
	if refusal == nil && answer == nil {
		answer = map[string]any{"active": false}
	}
	return answer, refusal
}

// introspection returns the answer, or nil if the token is inactive for c.
func (s *Server) introspection(ctx context.Context, c *Client, token string) (map[string]any, *oauthError) {
	if _, isRefresh := refreshToken.parse(token); isRefresh {
		return s.introspectRefresh(ctx, c, token)
	}
	access, err := s.bearer.Validator().Validate(ctx, token)
	if errors.Is(err, middleware.ErrKeysUnavailable) {
		return nil, unavailable(err)
	}
	if err != nil || access.ClientID() != c.ID && !overlap(access.Audience(), c.Serves) {
		return nil, nil
	}
	if err := s.checkNotRevoked(ctx, access.ID()); errors.Is(err, errTokenRevoked) {
		return nil, nil
	} else if err != nil {
		return nil, unavailable(err)
	}
	answer := map[string]any{}
	if err := access.Decode(&answer); err != nil {
		return nil, unavailable(err)
	}
	answer["active"], answer["token_type"] = true, "Bearer"
	return answer, nil
}

func (s *Server) introspectRefresh(ctx context.Context, c *Client, token string) (map[string]any, *oauthError) {
	o, g, refusal := s.loadPresented(ctx, refreshToken, token)
	if refusal != nil && refusal.status >= 500 {
		return nil, refusal
	}
	if refusal != nil || g.ClientID != c.ID {
		return nil, nil
	}
	state := g.tokenState(o.gen, s.now(), s.cfg.policyFor(c).grace)
	if state != tokenCurrent && state != tokenWithinGrace {
		return nil, nil
	}
	return map[string]any{"active": true, "client_id": g.ClientID, "sub": g.Subject, "scope": strings.Join(g.Scopes, " "),
		"iss": s.cfg.Issuer, "iat": g.CreatedAt.Unix(), "exp": earlier(g.ExpiresAt, g.IdleExpiresAt).Unix(),
		"sid": g.SessionID}, nil
}

// ownAudiences returns all audiences that the server issues access tokens for.
func (s *Server) ownAudiences() []string {
	all := []string{s.url(pathUserInfo)}
	for res := range s.cfg.Resources {
		all = append(all, res)
	}
	slices.Sort(all)
	return all
}
