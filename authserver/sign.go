package authserver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// issue is what sign makes tokens of. Everything in it has been checked.
type issue struct {
	grantType  string
	client     *Client
	user       *User  // nil with client_credentials
	grant      *Grant // nil with client_credentials
	subject    string
	scopes     []string
	resources  []string
	nonce      string
	generation uint32 // of the refresh token that comes with the tokens
}

// clockSkew is how long after its exp an API may still accept an access token: package middleware allows a minute by
// default, ASP.NET five. Until then the row must say that its grant was revoked, and the signing key must be published.
const clockSkew = 5 * time.Minute

// Names that the server sets itself.
var (
	reservedAccess = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "auth_time", "sid",
		"acr", "amr"}
	reservedID = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "sid", "acr",
		"amr", "azp", "at_hash"}
	reservedAnswer = []string{"access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope", "error",
		"error_description", "error_uri"}
)

// activeUser returns the user of a grant as the application knows them now.
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

// sign returns an access token and, if the grant has the scope openid, an ID token. It writes nothing. until is the exp
// of the access token.
func (s *Server) sign(ctx context.Context, in *issue) (t *Tokens, until time.Time, refusal *oauthError) {
	audience, tokenScopes := s.audienceFor(in.scopes, in.resources)
	more, refusal := s.customClaims(ctx, in, audience, tokenScopes)
	if refusal != nil {
		return nil, until, refusal
	}
	now := s.now()
	life := s.cfg.policyFor(in.client).access
	until = time.Unix(now.Unix(), 0).UTC().Add(life)
	scope := strings.Join(tokenScopes, " ")
	t = &Tokens{TokenType: "Bearer", ExpiresIn: life.Truncate(time.Second), Scope: scope, Extra: more.Response}
	common := s.commonClaims(in, now, until)
	access := accessClaims{Audience: audience, commonClaims: common, ClientID: in.client.ID,
		ID: accessTokenID(in.grant, in.generation, rand.Text()), Scope: scope}
	if len(audience) == 1 {
		access.Audience = audience[0]
	}
	if t.AccessToken, refusal = s.signClaims(ctx, "at+jwt", access, more.AccessClaims); refusal != nil {
		return nil, until, refusal
	}
	if in.user == nil || !slices.Contains(in.grant.Scopes, scopeOpenID) {
		return t, until, nil
	}
	id := idClaims{Audience: in.client.ID, commonClaims: common, Nonce: in.nonce}
	if t.IDToken, refusal = s.signClaims(ctx, "JWT", id, more.IDClaims); refusal != nil {
		return nil, until, refusal
	}
	return t, until, nil
}

func (s *Server) signClaims(ctx context.Context, typ string, claims any, more map[string]any) (string, *oauthError) {
	payload, err := withMembers(claims, more)
	if err != nil {
		return "", unavailable(fmt.Errorf("authserver: signing: %w", err))
	}
	token, err := s.keys.Sign(ctx, typ, payload)
	if err != nil {
		return "", unavailable(fmt.Errorf("authserver: signing: %w", err))
	}
	return token, nil
}

// customClaims returns the user's claims and those that BeforeIssue adds.
func (s *Server) customClaims(ctx context.Context, in *issue, audience, scopes []string) (*Issuance, *oauthError) {
	i := &Issuance{}
	if in.user != nil {
		i.IDClaims = userClaims(in.user, in.grant.Scopes)
	}
	if s.cfg.BeforeIssue != nil {
		i.GrantType, i.Client, i.User = in.grantType, in.client, in.user
		i.Scopes, i.Audience = slices.Clone(scopes), slices.Clone(audience)
		i.AccessClaims, i.Response = map[string]any{}, map[string]any{}
		if i.IDClaims == nil {
			i.IDClaims = map[string]any{}
		}
		if err := s.cfg.BeforeIssue(ctx, i); errors.Is(err, ErrAccessDenied) {
			return nil, invalidGrant("the application refused")
		} else if err != nil {
			return nil, unavailable(err)
		}
	}
	if err := errors.Join(reserved(i.AccessClaims, reservedAccess), reserved(i.IDClaims, reservedID),
		reserved(i.Response, reservedAnswer)); err != nil {
		return nil, serverError("the server is misconfigured", err)
	}
	return i, nil
}

// reserved returns an error for a name that the server sets itself. It ignores case, as some readers of a token do: for
// encoding/json EXP and \u017fub are exp and sub, and the last one counts.
func reserved(claims map[string]any, names []string) error {
	for name := range claims {
		if slices.ContainsFunc(names, func(own string) bool { return strings.EqualFold(name, own) }) {
			return fmt.Errorf("authserver: BeforeIssue set %q, which is the server's own", name)
		}
	}
	return nil
}

// accessTokenID returns the jti of an access token. It begins with the grant's id, which finds the row, and the
// generation of the refresh token that the access token comes with.
func accessTokenID(g *Grant, gen uint32, random string) string {
	if g == nil {
		return random
	}
	return g.ID + "." + strconv.FormatUint(uint64(gen), 10) + "." + random
}

// parseAccessTokenID reads a jti. id is "" for tokens without a grant.
func parseAccessTokenID(jti string) (id string, gen uint32) {
	parts := strings.Split(jti, ".")
	if len(parts) != 3 {
		return "", 0
	}
	n, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil {
		return "", 0
	}
	return parts[0], uint32(n)
}

// commonClaims are in access tokens and ID tokens. The order of the members here is their order in a token.
type commonClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	AuthTime *int64   `json:"auth_time,omitempty"` // from here on only if there is a grant
	Session  string   `json:"sid,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
}

// accessClaims are those of RFC 9068, Section 2.2.
type accessClaims struct {
	Audience any `json:"aud"` // a string if there is one
	commonClaims
	ClientID string `json:"client_id"`
	ID       string `json:"jti"`
	Scope    string `json:"scope"`
}

// idClaims are those of OpenID Connect Core, Section 2.
type idClaims struct {
	Audience string `json:"aud"`
	commonClaims
	Nonce string `json:"nonce,omitempty"`
}

func (s *Server) commonClaims(in *issue, now, until time.Time) commonClaims {
	c := commonClaims{Issuer: s.cfg.Issuer, Subject: in.subject, IssuedAt: now.Unix(), Expires: until.Unix()}
	if g := in.grant; g != nil {
		authTime := g.AuthTime.Unix()
		c.AuthTime, c.Session, c.ACR, c.AMR = &authTime, g.SessionID, g.ACR, g.AMR
	}
	return c
}

// withMembers returns claims as a JSON object with further members. No name may be in both, see reserved.
func withMembers(claims any, more map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(claims)
	if err != nil || len(more) == 0 {
		return text, err
	}
	further, err := json.Marshal(more)
	if err != nil {
		return nil, err
	}
	return append(append(text[:len(text)-1], ','), further[1:]...), nil
}
