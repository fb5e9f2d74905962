package authserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/jwks"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// maxAssertionLife bounds how long the store keeps the jti of an assertion.
	maxAssertionLife = 10 * time.Minute
	assertionLeeway  = 30 * time.Second
)

// authenticateAssertion checks private_key_jwt (RFC 7523, Section 3): signed by a key of the client, iss and sub its
// id, aud this server, not expired, and never used before.
func (s *Server) authenticateAssertion(ctx context.Context, p params) (*Client, *oauthError) {
	raw := p.get("client_assertion")
	if raw == "" || p.get("client_assertion_type") != assertionType {
		return nil, invalidRequest("client_assertion and client_assertion_type go together")
	}
	assertion, err := readSignedToken(raw)
	if err != nil {
		return nil, s.clientFailed(ctx, p.get("client_id"), fmt.Errorf("authserver: the assertion is malformed: %w", err))
	}
	id := assertion.subject // not authenticated yet: it only says whose keys to try
	if named := p.get("client_id"); named != "" && named != id {
		return nil, invalidRequest("client_id differs from the assertion")
	}
	c, err := s.client(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, s.clientFailed(ctx, id, errors.New("authserver: unknown client"))
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if err := s.checkAssertion(ctx, c, assertion); err != nil {
		return nil, s.clientFailed(ctx, id, fmt.Errorf("authserver: assertion refused: %w", err))
	}
	if err := s.useAssertion(ctx, c, assertion); err != nil {
		if errors.Is(err, ErrConflict) {
			return nil, s.clientFailed(ctx, id, errors.New("authserver: the assertion was used before"))
		}
		return nil, unavailable(err)
	}
	return c, nil
}

func (s *Server) checkAssertion(ctx context.Context, c *Client, assertion *signedToken) error {
	if len(c.JWKS) == 0 {
		return errors.New("the client has no keys")
	}
	keys, err := jwks.Parse(c.JWKS)
	if err != nil {
		return err
	}
	if err := assertion.verify(ctx, keys); err != nil {
		return err
	}
	now := s.now()
	switch {
	case assertion.issuer != c.ID:
		return jwt.ErrTokenInvalidIssuer
	case assertion.subject != c.ID:
		return jwt.ErrTokenInvalidSubject
	case !slices.Contains(assertion.audience, s.cfg.Issuer) && !slices.Contains(assertion.audience, s.url(pathToken)):
		return jwt.ErrTokenInvalidAudience
	case assertion.expires.IsZero():
		return fmt.Errorf("%w: exp", jwt.ErrTokenRequiredClaimMissing)
	case !now.Before(assertion.expires.Add(assertionLeeway)):
		return jwt.ErrTokenExpired
	case now.Before(assertion.notBefore.Add(-assertionLeeway)):
		return jwt.ErrTokenNotValidYet
	case assertion.id == "":
		return fmt.Errorf("%w: jti", jwt.ErrTokenRequiredClaimMissing)
	case assertion.expires.After(now.Add(maxAssertionLife + assertionLeeway)):
		return errors.New("exp is more than ten minutes ahead")
	}
	return nil
}

// useAssertion makes sure that an assertion works once: somebody may have seen it on its way.
func (s *Server) useAssertion(ctx context.Context, c *Client, assertion *signedToken) error {
	sum := sha256.Sum256([]byte(c.ID + "\x00" + assertion.id))
	until := assertion.expires.Add(assertionLeeway + time.Second).UTC()
	return s.cfg.Store.Once(ctx, "assertion:"+base64.RawURLEncoding.EncodeToString(sum[:]), s.now(), until)
}
