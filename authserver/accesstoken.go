package authserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/bearergate/bearergate/middleware"
)

var errTokenRevoked = errors.New("authserver: the grant is revoked or gone, or the access token was replaced")

// CheckAccessToken rejects access tokens of revoked grants and, with [Config].RevokePreviousAccessToken, those that a
// refresh has replaced. It is made for [middleware.Config].Check of an API in the same process:
//
//	cfg.Check = srv.CheckAccessToken
//
// The middleware has validated signature, times and audience before; CheckAccessToken reads one row of the [Store]. An
// API in another process asks the introspection endpoint, which applies the same rules. Tokens of client_credentials
// have no row and are accepted, and so are tokens of other issuers.
//
// Errors: one that wraps [middleware.ErrInvalidToken], or [middleware.ErrCheckUnavailable] when the store can't say.
func (s *Server) CheckAccessToken(ctx context.Context, t *middleware.Token) error {
	if t.Issuer() != s.cfg.Issuer {
		return nil
	}
	switch err := s.checkNotRevoked(ctx, t.ID()); {
	case err == nil:
		return nil
	case errors.Is(err, errTokenRevoked):
		return errors.Join(middleware.ErrInvalidToken, err)
	default:
		return fmt.Errorf("%w: %w", middleware.ErrCheckUnavailable, err)
	}
}

// checkNotRevoked returns nil if the access token with that jti is still valid, errTokenRevoked if it is not, or
// another error when that is unknown.
func (s *Server) checkNotRevoked(ctx context.Context, jti string) error {
	id, gen := parseAccessTokenID(jti)
	if id == "" {
		return nil
	}
	g, err := s.cfg.Store.Grant(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return errTokenRevoked
	case err != nil:
		return err
	case !g.RevokedAt.IsZero():
		return errTokenRevoked
	case !s.cfg.RevokePreviousAccessToken || gen >= g.Generation:
		return nil
	}
	c, err := s.client(ctx, g.ClientID)
	if errors.Is(err, ErrNotFound) {
		return errTokenRevoked
	}
	if err != nil {
		return err
	}
	if !g.withinGrace(gen, s.now(), s.cfg.policyFor(c).grace) {
		return errTokenRevoked
	}
	return nil
}
