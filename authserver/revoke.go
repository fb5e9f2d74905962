package authserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bearergate/bearergate/middleware"
)

// revoke is the revocation endpoint (RFC 7009). Any refresh token of a grant, however old, revokes the grant, and so
// does an access token that was issued under it. The answer is 200 for whatever the client presents, so that it tells
// nothing.
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
		return nil, unavailable(err) // 200 would say that the grant is revoked (RFC 7009, Section 2.2.1)
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

// Revoke revokes every matching grant: after a password change, for a logout everywhere, when an account or a client is
// removed. It returns the number of grants. The first [ReasonLength] bytes of the reason are stored.
//
// Access tokens that were issued stay valid until they expire, except for [Server.CheckAccessToken], introspection, and
// APIs that read the revocation list.
//
// Revoke continues as long as the store makes progress and ctx lasts: all grants of a large client take minutes. After
// an error some may be revoked, and the same call again does the rest.
func (s *Server) Revoke(ctx context.Context, sel Selector, reason string) (int, error) {
	n, err := s.revokeInStore(ctx, sel, reason)
	if n > 0 { // also after an error: the next call does not count these
		s.event(ctx, Event{Kind: "grant.revoked", ClientID: sel.ClientID, Subject: sel.Subject, GrantID: sel.ID,
			Reason: reason, Count: n})
	}
	if err != nil {
		return n, fmt.Errorf("authserver: revoke: %w", err)
	}
	return n, nil
}

// revokeDetached is Revoke for a request whose client may not wait for the answer: a page sends a logout when it is
// closed. It continues as long as the store makes progress.
func (s *Server) revokeDetached(ctx context.Context, sel Selector, reason string) error {
	_, err := s.Revoke(context.WithoutCancel(ctx), sel, reason)
	return err
}

// withoutCancel returns a context for what goes on when the client has disconnected.
func withoutCancel(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
}

// revokeInStore revokes in the store, with a reason that every store accepts. Readers of the revocation list allow
// revokeTime for a revocation, so what takes longer is revoked by another call, with a later time.
func (s *Server) revokeInStore(ctx context.Context, sel Selector, reason string) (total int, err error) {
	for {
		attempt, cancel := context.WithTimeout(ctx, revokeTime)
		n, err := s.cfg.Store.Revoke(attempt, sel, clipReason(reason), s.now())
		cancel()
		if total += n; err == nil || n == 0 || ctx.Err() != nil {
			return total, err
		}
	}
}

// clipReason returns as much of a reason as [Store.Revoke] accepts: no revocation may fail because of it.
func clipReason(reason string) string {
	reason = strings.ReplaceAll(strings.ToValidUTF8(reason, ""), "\x00", "")
	if len(reason) <= ReasonLength {
		return reason
	}
	return strings.ToValidUTF8(reason[:ReasonLength], "")
}
