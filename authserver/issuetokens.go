package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// IssueRequest is what [Server.IssueTokens] issues tokens for.
type IssueRequest struct {
	ClientID string
	// Subject names the user. Like SessionID, it has up to 1024 bytes of UTF-8 without U+0000.
	Subject string
	// Scopes of the grant. Nil means all scopes of the client.
	Scopes []string
	// AuthTime is when the user authenticated. Zero means now.
	AuthTime time.Time
	// SessionID becomes the claim sid. Empty means the id of the grant.
	SessionID string
	// EndOthers revokes the user's other grants, at all clients, once the new one exists. It is for a changed
	// credential, and goes on after ctx has ended.
	EndOthers bool
}

// IssueTokens starts a grant for a user whom the application itself has just authenticated, and returns its tokens. It
// is for endpoints of the application, such as one that changes a password and returns new tokens. The server trusts
// the caller with the user's identity. It checks client and scopes as in an authorization request, and issues a refresh
// token under the same conditions.
//
// Errors: [ErrNotFound] for an unknown client or user, [ErrAccessDenied] for a user or a scope that is not permitted.
func (s *Server) IssueTokens(ctx context.Context, req IssueRequest) (*Tokens, error) {
	c, err := s.client(ctx, req.ClientID)
	if err != nil {
		return nil, fmt.Errorf("authserver: client %q: %w", req.ClientID, err)
	}
	scopes := slices.Clone(req.Scopes)
	if scopes == nil {
		scopes = slices.Clone(c.Scopes)
	}
	if !subset(scopes, c.Scopes) {
		return nil, fmt.Errorf("%w: the client may not have one of the scopes", ErrAccessDenied)
	}
	if req.Subject == "" {
		return nil, fmt.Errorf("%w: the subject is missing", ErrAccessDenied)
	}
	user := &User{Subject: req.Subject}
	if s.cfg.Users != nil {
		if user, err = s.cfg.Users.User(ctx, req.Subject); err != nil {
			return nil, fmt.Errorf("authserver: user: %w", err)
		}
	}
	now := s.now()
	g := s.newGrant(c, &Login{Subject: req.Subject, AuthTime: req.AuthTime, SessionID: req.SessionID}, scopes, nil, now)
	if err := g.storable(); err != nil {
		return nil, err
	}
	t, until, refusal := s.sign(ctx, &issue{grantType: "issue_tokens", client: c, user: user, grant: &g,
		subject: g.Subject, scopes: scopes, generation: 1})
	if refusal != nil {
		return nil, refused(refusal)
	}
	g.Generation, g.AccessExpiresAt = 1, until.Add(clockSkew)
	if !g.Refresh {
		g.IdleExpiresAt = until
	} else if t.RefreshToken, refusal = s.mintRefreshToken(&g, 1); refusal != nil {
		return nil, refused(refusal)
	}
	if err := s.cfg.Store.Create(ctx, g); err != nil {
		return nil, fmt.Errorf("authserver: store: %w", err)
	}
	s.event(ctx, Event{Kind: "token.issued", GrantType: "issue_tokens", ClientID: c.ID, Subject: g.Subject, GrantID: g.ID})
	if req.EndOthers {
		if err := s.revokeDetached(ctx, Selector{Subject: g.Subject, Except: g.ID}, "user"); err != nil {
			return nil, err
		}
	}
	s.limitGrants(ctx, c, &g)
	return t, nil
}

// refused returns a refusal of the token endpoint as an error for the application.
func refused(e *oauthError) error {
	if e.code == "invalid_grant" {
		return errors.Join(ErrAccessDenied, e)
	}
	return e
}
