package authserver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
)

// exchangeCode exchanges an authorization code (RFC 6749 section 4.1.3). The code is generation 0 of its grant, and spending it is the
// same step as rotating a refresh token.
func (s *Server) exchangeCode(ctx context.Context, c *Client, p params) (*Tokens, *oauthError) {
	if p.get("code") == "" {
		return nil, invalidRequest("code is missing")
	}
	_, g, refusal := s.loadPresented(ctx, codeToken, p.get("code"))
	if refusal != nil {
		return nil, refusal
	}
	if g.ClientID != c.ID {
		s.event(ctx, Event{Kind: "client.mismatch", ClientID: c.ID, GrantID: g.ID, GrantType: grantTypeCode})
		return nil, invalidGrant("the code is not valid")
	}
	if g.RedirectURI != p.get("redirect_uri") && (g.RedirectURI != "" || !redirectAllowed(c, p.get("redirect_uri"))) {
		return nil, invalidGrant("redirect_uri differs from the authorization request")
	}
	if refusal := checkVerifier(g.Challenge, p.get("code_verifier")); refusal != nil {
		return nil, refusal
	}
	now := s.now()
	if g.Generation > 0 {
		return nil, s.codeReplayed(ctx, &g)
	}
	if !g.Active(now) {
		return nil, invalidGrant("the code is not valid")
	}
	scopes := intersect(g.Scopes, c.Scopes)
	resources, refusal := s.requestedResources(&g, scopes, p)
	if refusal != nil {
		return nil, refusal
	}
	user, refusal := s.activeUser(ctx, g.Subject)
	if refusal != nil {
		return nil, refusal
	}
	t, until, refusal := s.sign(ctx, &issue{grantType: grantTypeCode, client: c, user: user, grant: &g, subject: g.Subject,
		scopes: scopes, resources: resources, nonce: g.Nonce, generation: 1})
	if refusal != nil {
		return nil, refusal
	}
	step := Step{ID: g.ID, From: 0, To: 1, Now: now, AccessExpiresAt: until.Add(clockSkew), IdleExpiresAt: until}
	if g.Refresh = g.Refresh && c.offline(); g.Refresh {
		step.IdleExpiresAt = earlier(now.Add(s.cfg.policyFor(c).idle), g.ExpiresAt)
		if t.RefreshToken, refusal = s.mintRefreshToken(&g, 1); refusal != nil {
			return nil, refusal
		}
	}
	switch err := s.cfg.Store.Advance(ctx, step); {
	case errors.Is(err, ErrConflict):
		// Someone else was faster: the code is being used twice, or it has just expired.
		now, err := s.reload(ctx, g.ID)
		switch {
		case err == nil && now.Generation > 0:
			return nil, s.codeReplayed(ctx, &now)
		case err != nil && !errors.Is(err, ErrNotFound): // the same request again finds out
			return nil, unavailable(err)
		}
		return nil, invalidGrant("the code is not valid")
	case errors.Is(err, ErrNotFound):
		return nil, invalidGrant("the code is not valid")
	case err != nil:
		return nil, unavailable(err)
	}
	s.event(ctx, Event{Kind: "token.issued", GrantType: grantTypeCode, ClientID: c.ID, Subject: g.Subject, GrantID: g.ID})
	s.limitGrants(ctx, c, &g)
	return t, nil
}

// codeReplayed ends what was issued for a code that comes a second time (RFC 6749 section 4.1.2). Client, redirect URI and verifier
// have been checked: someone who merely saw a code can end nothing.
func (s *Server) codeReplayed(ctx context.Context, g *Grant) *oauthError {
	n, err := s.revokeInStore(context.WithoutCancel(ctx), Selector{ID: g.ID}, "code_replay") // hanging up saves nobody
	if err != nil {
		return unavailable(err)
	}
	s.event(ctx, Event{Kind: "code.replayed", ClientID: g.ClientID, Subject: g.Subject, GrantID: g.ID, Current: g.Generation, Count: n})
	return invalidGrant("the code is not valid")
}

func (s *Server) mintRefreshToken(g *Grant, gen uint32) (string, *oauthError) {
	token, err := s.ring.mint(refreshToken, g, gen)
	if err != nil {
		return "", &oauthError{status: 500, code: "server_error", description: "no refresh token could be made", cause: err}
	}
	return token, nil
}

// limitGrants ends the oldest grants beyond Config.GrantsPerClient. Two that run at once pick the same ones, so it needs no
// lock; and when it fails, the next sign-in does it.
func (s *Server) limitGrants(ctx context.Context, c *Client, g *Grant) {
	if s.cfg.GrantsPerClient == 0 || !g.Refresh {
		return
	}
	ctx = context.WithoutCancel(ctx) // who hangs up has the new grant all the same
	all, err := s.cfg.Store.Grants(ctx, Selector{Subject: g.Subject, ClientID: c.ID}, s.now(), 0)
	if err != nil {
		s.log.ErrorContext(ctx, "grant limit not applied", "error", err)
		return
	}
	slices.SortFunc(all, func(a, b Grant) int { // stores leave open in what order those of one moment come
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	kept := 0
	for _, old := range all { // newest first
		if !old.Refresh || old.Generation == 0 {
			continue
		}
		if kept++; kept <= s.cfg.GrantsPerClient {
			continue
		}
		if _, err := s.Revoke(ctx, Selector{ID: old.ID}, "cap"); err != nil {
			s.log.ErrorContext(ctx, "grant limit not applied", "error", err)
			return
		}
	}
}
