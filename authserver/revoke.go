package authserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// Revoke ends every matching grant: after a password change, for a logout everywhere, when an account or a client goes. Access
// tokens that are out live on for at most their lifetime, except where [Server.CheckAccessToken] is asked, or where an API reads the &
// revoked grants, see the package documentation. It returns how many grants it ended. Of a reason it keeps [ReasonLength] bytes.
//
// It goes on as long as the store gets on with it and ctx lasts: all grants of a large client take minutes. After an error some of them
// may have ended, and the same call again does the rest.
func (s *Server) Revoke(ctx context.Context, sel Selector, reason string) (int, error) {
	n, err := s.revokeInStore(ctx, sel, reason)
	if n > 0 { // also when it did not get to the end: the next call won't count these
		s.event(ctx, Event{Kind: "grant.revoked", ClientID: sel.ClientID, Subject: sel.Subject, GrantID: sel.ID, Reason: reason, Count: n})
	}
	if err != nil {
		return n, fmt.Errorf("authserver: revoke: %w", err)
	}
	return n, nil
}

// revokeDetached is Revoke for what has to end whether or not the one who asked for it waits for the answer: pages send a logout when they are
// closed. It lasts as long as the store gets on with it.
func (s *Server) revokeDetached(ctx context.Context, sel Selector, reason string) error {
	_, err := s.Revoke(context.WithoutCancel(ctx), sel, reason)
	return err
}

// withoutCancel returns a context for what goes on when the client has hung up.
func withoutCancel(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
}

// revokeInStore revokes in the store, with a reason that every store takes. What is not done in the time that readers of the revocation list
// allow for gets a later one.
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

// clipReason leaves of a reason what [Store.Revoke] takes: no revocation may fail because of it.
func clipReason(reason string) string {
	reason = strings.ReplaceAll(strings.ToValidUTF8(reason, ""), "\x00", "")
	if len(reason) <= ReasonLength {
		return reason
	}
	return strings.ToValidUTF8(reason[:ReasonLength], "")
}
