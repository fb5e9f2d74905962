package authserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// issue is what sign turns into tokens; everything in it has been checked.
type issue struct {
	grantType string
	client    *Client
	user      *User  // nil with client_credentials
	grant     *Grant // nil with client_credentials
	subject   string
	scopes    []string
	resources []string
	nonce     string
	// generation of the refresh token that comes with it
	generation uint32
}

// Names that the server sets itself.
var (
	reservedAccess = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "auth_time", "sid", "acr", "amr"}
	reservedID     = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "sid", "acr", "amr", "azp", "at_hash"}
	reservedAnswer = []string{"access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope", "error",
		"error_description", "error_uri"}
)

// activeUser returns the user of a grant as they are now.
func (s *Server) activeUser(ctx context.Context, subject string) (*User, *oauthError) {
	if s.cfg.Users == nil {
		return &User{Subject: subject}, nil
	}
	u, err := s.cfg.Users.User(ctx, subject)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrAccessDenied) {
		return nil, invalidGrant("the user may not sign in any more")
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return u, nil
}

// sign makes the access token and, when the grant has openid, the ID token. It writes nothing. until is when the access token ends.
func (s *Server) sign(ctx context.Context, in *issue) (t *Tokens, until time.Time, refusal *oauthError) {
	audience, tokenScopes := s.target(in.scopes, in.resources)
	i := &Issuance{GrantType: in.grantType, Client: in.client, User: in.user, Scopes: slices.Clone(tokenScopes), Audience: slices.Clone(audience),
		AccessClaims: map[string]any{}, IDClaims: map[string]any{}, Response: map[string]any{}}
	if in.user != nil {
		i.IDClaims = userClaims(in.user, in.grant.Scopes)
	}
	if s.cfg.BeforeIssue != nil {
		if err := s.cfg.BeforeIssue(ctx, i); errors.Is(err, ErrAccessDenied) {
			return nil, until, invalidGrant("the application refused")
		} else if err != nil {
			return nil, until, unavailable(err)
		}
	}
	if err := errors.Join(reserved(i.AccessClaims, reservedAccess), reserved(i.IDClaims, reservedID),
		reserved(i.Response, reservedAnswer)); err != nil {
		return nil, until, &oauthError{status: 500, code: "server_error", description: "the server is misconfigured", cause: err}
	}
	now := s.now()
	life := s.cfg.terms(in.client).access
	until = time.Unix(now.Unix(), 0).UTC().Add(life)
	access := jwt.MapClaims{}
	maps.Copy(access, i.AccessClaims)
	s.common(access, in, now, until)
	access["client_id"], access["jti"] = in.client.ID, tokenID(in.grant, in.generation, rand.Text())
	access["scope"] = strings.Join(tokenScopes, " ")
	access["aud"] = audience
	if len(audience) == 1 {
		access["aud"] = audience[0]
	}
	t = &Tokens{TokenType: "Bearer", ExpiresIn: life.Truncate(time.Second), Scope: strings.Join(tokenScopes, " "), Extra: i.Response}
	var err error
	if t.AccessToken, err = s.keys.Sign(ctx, "at+jwt", access); err != nil {
		return nil, until, unavailable(fmt.Errorf("authserver: signing: %w", err))
	}
	if in.user == nil || !slices.Contains(in.grant.Scopes, scopeOpenID) {
		return t, until, nil
	}
	id := jwt.MapClaims{}
	maps.Copy(id, i.IDClaims)
	s.common(id, in, now, until)
	id["aud"] = in.client.ID
	if in.nonce != "" {
		id["nonce"] = in.nonce
	}
	if t.IDToken, err = s.keys.Sign(ctx, "JWT", id); err != nil {
		return nil, until, unavailable(fmt.Errorf("authserver: signing: %w", err))
	}
	return t, until, nil
}

// common sets the claims that both tokens have.
func (s *Server) common(claims jwt.MapClaims, in *issue, now, until time.Time) {
	claims["iss"], claims["sub"] = s.cfg.Issuer, in.subject
	claims["iat"], claims["exp"] = now.Unix(), until.Unix()
	if in.grant == nil {
		return
	}
	claims["auth_time"], claims["sid"] = in.grant.AuthTime.Unix(), in.grant.SessionID
	if in.grant.ACR != "" {
		claims["acr"] = in.grant.ACR
	}
	if len(in.grant.AMR) > 0 {
		claims["amr"] = in.grant.AMR
	}
}

func reserved(claims map[string]any, names []string) error {
	for _, name := range names {
		if _, there := claims[name]; there {
			return fmt.Errorf("authserver: BeforeIssue set %q, which is the server's own", name)
		}
	}
	return nil
}
