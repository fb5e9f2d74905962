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
	// maxAssertionLife bounds how long an assertion has to be remembered.
	maxAssertionLife = 10 * time.Minute
	assertionLeeway  = 30 * time.Second
)

// asymmetric are the signature algorithms that the server knows; with a shared secret whoever verifies could sign.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// assertionAlgorithms are those that a client may sign with. Ed25519 is what RFC 9864 calls EdDSA with that curve, the only one
// here.
var assertionAlgorithms = append(slices.Clone(asymmetric), algEd25519)

const algEd25519 = "Ed25519"

var otherName = map[string]string{algEd25519: "EdDSA", "EdDSA": algEd25519}

// authenticateAssertion checks private_key_jwt (RFC 7523 section 3): signed by a key of the client, iss and sub its id, aud
// this server, not expired, and never seen before.
func (s *Server) authenticateAssertion(ctx context.Context, p params) (*Client, *oauthError) {
	raw := p.get("client_assertion")
	if raw == "" || p.get("client_assertion_type") != assertionType {
		return nil, invalidRequest("client_assertion and client_assertion_type go together")
	}
	claims := &jwt.RegisteredClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(raw, claims); err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) {
		return nil, s.clientFailed(ctx, p.get("client_id"), errors.New("authserver: the assertion is not a JWT"))
	}
	id := claims.Subject // not authenticated yet; it only says whose keys to try
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
	if err := s.checkAssertion(ctx, c, raw); err != nil {
		return nil, s.clientFailed(ctx, id, fmt.Errorf("authserver: assertion refused: %w", err))
	}
	if err := s.claimAssertion(ctx, c, claims); err != nil {
		if errors.Is(err, ErrConflict) {
			return nil, s.clientFailed(ctx, id, errors.New("authserver: the assertion was used before"))
		}
		return nil, unavailable(err)
	}
	return c, nil
}

func (s *Server) checkAssertion(ctx context.Context, c *Client, raw string) error {
	if len(c.JWKS) == 0 {
		return errors.New("the client has no keys")
	}
	set, err := jwks.Parse(c.JWKS)
	if err != nil {
		return err
	}
	claims := &jwt.RegisteredClaims{}
	if err := verifyAssertion(ctx, raw, claims, set); err != nil {
		return err
	}
	err = jwt.NewValidator(jwt.WithExpirationRequired(), jwt.WithIssuer(c.ID), jwt.WithSubject(c.ID),
		jwt.WithLeeway(assertionLeeway), jwt.WithTimeFunc(s.now)).Validate(claims)
	switch {
	case err != nil:
		return err
	case !slices.Contains(claims.Audience, s.cfg.Issuer) && !slices.Contains(claims.Audience, s.url(pathToken)):
		return jwt.ErrTokenInvalidAudience
	case claims.ID == "":
		return errors.New("jti is missing")
	case claims.ExpiresAt.After(s.now().Add(maxAssertionLife + assertionLeeway)):
		return errors.New("exp is more than ten minutes ahead")
	}
	return nil
}

// verifyAssertion checks the signature and nothing else. It does in steps what jwt.Parser does at once, because that knows
// Ed25519 by its older name alone, and registering another one would be for the whole process.
func verifyAssertion(ctx context.Context, raw string, claims *jwt.RegisteredClaims, keys *jwks.Set) error {
	parser := jwt.NewParser(jwt.WithStrictDecoding())
	t, parts, err := parser.ParseUnverified(raw, claims)
	if err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) { // unverifiable: it does not know the algorithm
		return err
	}
	alg, _ := t.Header["alg"].(string)
	if !slices.Contains(assertionAlgorithms, alg) {
		return fmt.Errorf("%w: alg %q is not allowed", jwt.ErrTokenUnverifiable, alg)
	}
	method := t.Method
	if alg == algEd25519 {
		method = jwt.SigningMethodEdDSA
	}
	signature, err := parser.DecodeSegment(parts[2])
	if err != nil {
		return fmt.Errorf("%w: %w", jwt.ErrTokenMalformed, err)
	}
	kid, _ := t.Header["kid"].(string)
	candidates, err := keys.Lookup(ctx, kid, alg)
	if other, two := otherName[alg]; two && errors.Is(err, jwks.ErrKeyNotFound) { // the key may carry the other name as its alg
		candidates, err = keys.Lookup(ctx, kid, other)
	}
	if err != nil {
		return err
	}
	for _, k := range candidates {
		if method.Verify(parts[0]+"."+parts[1], signature, k.Public()) == nil {
			return nil
		}
	}
	return jwt.ErrTokenSignatureInvalid
}

// claimAssertion makes sure that an assertion, which may have been seen on its way, works once.
func (s *Server) claimAssertion(ctx context.Context, c *Client, claims *jwt.RegisteredClaims) error {
	sum := sha256.Sum256([]byte(c.ID + "\x00" + claims.ID))
	until := claims.ExpiresAt.Add(assertionLeeway + time.Second).UTC().Truncate(time.Millisecond)
	return s.cfg.Store.Once(ctx, "assertion:"+base64.RawURLEncoding.EncodeToString(sum[:]), s.now(), until)
}
