package authserver

import (
	"context"
	"net/http"
	"slices"
)

// clientEndpoint returns an endpoint for authenticated clients. It reads the form, authenticates the client, and writes
// what work returns; nil is an empty answer.
func (s *Server) clientEndpoint(
	work func(ctx context.Context, c *Client, p params) (any, *oauthError),
) http.HandlerFunc {
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

// token is the token endpoint (RFC 6749, Section 3.2), once the client is authenticated. Nothing is written before the
// one atomic step at the end, so that a failed request leaves code and refresh token as they were.
func (s *Server) token(ctx context.Context, c *Client, p params) (any, *oauthError) {
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
	t, refusal := run(s, ctx, c, p)
	switch {
	case refusal != nil:
		return nil, refusal
	case len(t.Extra) == 0:
		return t.answer(), nil // json.Marshal reads the text of a Marshaler once more, which takes 10 µs
	default:
		return t, nil
	}
}

// clientCredentials is the client credentials grant (RFC 6749, Section 4.4): no user, no refresh token, no row.
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
	t, _, refusal := s.sign(ctx, &issue{grantType: grantTypeCredentials, client: c, subject: c.ID, scopes: scopes,
		resources: p.resources()})
	if refusal != nil {
		return nil, refusal
	}
	s.event(ctx, Event{Kind: "token.issued", GrantType: grantTypeCredentials, ClientID: c.ID})
	return t, nil
}
