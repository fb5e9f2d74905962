package authserver

import (
	"context"
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/jwks"
)

var errNotOurs = errors.New("authserver: not an ID token of this server")

// hint is what an ID token says that comes back as id_token_hint.
type hint struct{ clientID, subject, sid string }

// idTokenHint reads an ID token that the server has signed. It may have expired: what counts is whom it was made for. The error
// wraps [jwks.ErrUnavailable] when it can't be judged now.
func (s *Server) idTokenHint(ctx context.Context, raw string) (hint, error) {
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(jwt.WithValidMethods(asymmetric), jwt.WithoutClaimsValidation(),
		jwt.WithStrictDecoding()).ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != "JWT" { // an access token is no ID token
			return nil, errNotOurs
		}
		kid, _ := t.Header["kid"].(string)
		keys, err := s.keys.Lookup(ctx, kid, t.Method.Alg())
		if err != nil {
			return nil, err
		}
		return keys[0].Public(), nil
	})
	if errors.Is(err, jwks.ErrUnavailable) || ctx.Err() != nil {
		return hint{}, errors.Join(jwks.ErrUnavailable, err)
	}
	var h hint
	h.subject, _ = claims["sub"].(string)
	h.sid, _ = claims["sid"].(string)
	if iss, _ := claims.GetIssuer(); err != nil || iss != s.cfg.Issuer || h.subject == "" {
		return hint{}, errors.Join(errNotOurs, err)
	}
	if aud, err := claims.GetAudience(); err == nil && len(aud) == 1 {
		h.clientID = aud[0]
	}
	return h, nil
}

// checkHint reads the id_token_hint of an authorization request (OpenID Connect Core section 3.1.2.1).
func (s *Server) checkHint(ctx context.Context, a *authorization, raw string) *oauthError {
	if raw == "" {
		return nil
	}
	h, err := s.idTokenHint(ctx, raw)
	if errors.Is(err, jwks.ErrUnavailable) {
		return unavailable(err)
	}
	if err != nil {
		return invalidRequest("id_token_hint is not an ID token of this server")
	}
	a.subject = h.subject
	return nil
}

// expects tells whether the client takes this user: the one of its id_token_hint, or anybody if it sent none.
func (a *authorization) expects(subject string) bool { return a.subject == "" || a.subject == subject }
