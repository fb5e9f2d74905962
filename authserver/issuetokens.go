package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// IssueRequest asks [Server.IssueTokens] for tokens.
type IssueRequest struct {
	ClientID string
	// Subject names the user: up to 1024 bytes of UTF-8 without U+0000, and so does a SessionID.
	Subject string
	// Scopes of the grant; nil: all that the client may have.
	Scopes []string
	// AuthTime is when the user proved who they are; zero: now.
	AuthTime time.Time
	// SessionID becomes the claim sid; empty: one of the grant's own.
	SessionID string
	// EndOthers revokes the user's other grants, at all clients, once the new one exists: for a changed credential. That goes on when ctx has
	// ended: who closes the page has changed the credential all the same.
	EndOthers bool
}

// IssueTokens starts a grant for a user whom the application itself has just authenticated, and returns its tokens: for the
// application's own endpoints, such as one that changes a password and returns new tokens when asked to. The caller is
// trusted with the user's identity; client and scopes are checked as in an authorization request, and there is a refresh token
// under the same conditions. Errors: ErrNotFound for an unknown client or user, ErrAccessDenied for a user or scope that may not.
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
	t, until, refusal := s.sign(ctx, &issue{grantType: "issue_tokens", client: c, user: user, grant: &g, subject: g.Subject, scopes: scopes,
		generation: 1})
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

// refused turns an answer of the token endpoint into an error for the application.
func refused(e *oauthError) error {
	if e.code == "invalid_grant" {
		return errors.Join(ErrAccessDenied, e)
	}
	return e
}
