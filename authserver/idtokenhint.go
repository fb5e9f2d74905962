package authserver

import (
	"context"
	"errors"

	"github.com/bearergate/bearergate/jwks"
)

var errNotOurs = errors.New("authserver: not an ID token of this server")

// idTokenHint is what an id_token_hint says.
type idTokenHint struct{ clientID, subject, sessionID string }

// readIDTokenHint reads an ID token that the server has signed. It may have expired: what counts is whom it was made
// for. The error wraps [jwks.ErrUnavailable] when the keys can't be had.
func (s *Server) readIDTokenHint(ctx context.Context, raw string) (idTokenHint, error) {
	t, err := readSignedToken(raw)
	if err == nil {
		err = t.verify(ctx, s.keys)
	}
	switch {
	case errors.Is(err, jwks.ErrUnavailable) || ctx.Err() != nil:
		return idTokenHint{}, errors.Join(jwks.ErrUnavailable, err)
	case err != nil:
		return idTokenHint{}, errors.Join(errNotOurs, err)
	case t.message.Header.Type != "JWT" || t.issuer != s.cfg.Issuer || t.subject == "": // an access token has another typ
		return idTokenHint{}, errNotOurs
	}
	h := idTokenHint{subject: t.subject, sessionID: t.sessionID}
	if len(t.audience) == 1 {
		h.clientID = t.audience[0]
	}
	return h, nil
}

// checkIDTokenHint reads the id_token_hint of an authorization request (OpenID Connect Core, Section 3.1.2.1).
func (s *Server) checkIDTokenHint(ctx context.Context, a *authorization, raw string) *oauthError {
	if raw == "" {
		return nil
	}
	h, err := s.readIDTokenHint(ctx, raw)
	if errors.Is(err, jwks.ErrUnavailable) {
		return unavailable(err)
	}
	if err != nil {
		return invalidRequest("id_token_hint is not an ID token of this server")
	}
	a.subject = h.subject
	return nil
}

// expects reports whether the client accepts this user: the one of its id_token_hint, or anybody if it sent none.
func (a *authorization) expects(subject string) bool { return a.subject == "" || a.subject == subject }
