package authserver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// newGrant returns the row of a new grant. It writes nothing.
func (s *Server) newGrant(c *Client, l *Login, scopes, resources []string, now time.Time) Grant {
	p := s.cfg.policyFor(c)
	g := Grant{ClientID: c.ID, Subject: l.Subject, Scopes: scopes, Resources: resources, SessionID: l.SessionID,
		AuthTime: l.AuthTime.UTC().Truncate(time.Millisecond), ACR: l.ACR, AMR: l.AMR, CreatedAt: now}
	g.ID, g.Salt = newGrantID()
	if g.AuthTime.IsZero() {
		g.AuthTime = now
	}
	g.SessionID = cmp.Or(g.SessionID, g.ID)
	g.Refresh = c.offline() && slices.Contains(scopes, scopeOffline)
	g.ExpiresAt = now.Add(p.refresh)
	g.IdleExpiresAt = earlier(now.Add(p.idle), g.ExpiresAt)
	return g
}

// mintRefreshToken returns the refresh token of generation gen.
func (s *Server) mintRefreshToken(g *Grant, gen uint32) (string, *oauthError) {
	token, err := s.ring.mint(refreshToken, g, gen)
	if err != nil {
		return "", serverError("no refresh token could be made", err)
	}
	return token, nil
}

// loadPresented reads a presented code or refresh token, loads its row and checks that the server made the token. A
// failure here has no effect on any grant, whoever sends the token.
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

// reload reads a row that another request has just changed. A client that disconnects now must not hide that a code or
// a token was used twice.
func (s *Server) reload(ctx context.Context, id string) (Grant, error) {
	ctx, cancel := withoutCancel(ctx)
	defer cancel()
	return s.cfg.Store.Grant(ctx, id)
}

// Grants returns the active grants of a user or client that have refresh tokens, newest first.
func (s *Server) Grants(ctx context.Context, sel Selector) ([]Grant, error) {
	all, err := s.cfg.Store.Grants(ctx, sel, s.now(), 0)
	return slices.DeleteFunc(all, func(g Grant) bool { return !g.Refresh || g.Generation == 0 }), err
}

// limitGrants revokes the oldest grants beyond Config.GrantsPerClient. Two calls at once pick the same grants, so it
// needs no lock. If it fails, the next sign-in does it.
func (s *Server) limitGrants(ctx context.Context, c *Client, g *Grant) {
	if s.cfg.GrantsPerClient == 0 || !g.Refresh {
		return
	}
	ctx = context.WithoutCancel(ctx) // the new grant exists even if the client has disconnected
	all, err := s.Grants(ctx, Selector{Subject: g.Subject, ClientID: c.ID})
	if err != nil {
		s.log.ErrorContext(ctx, "grant limit not applied", "error", err)
		return
	}
	slices.SortFunc(all, func(a, b Grant) int { // a store may list grants of one moment in any order
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	for _, old := range all[min(len(all), s.cfg.GrantsPerClient):] {
		if _, err := s.Revoke(ctx, Selector{ID: old.ID}, "cap"); err != nil {
			s.log.ErrorContext(ctx, "grant limit not applied", "error", err)
			return
		}
	}
}
