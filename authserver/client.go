package authserver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rotation says when a refresh answers with a new refresh token.
type Rotation string

// The rotations. With the last two the use of a stolen refresh token may go unnoticed.
const (
	RotateAlways     Rotation = "always"      // every time: the default, and the only one that detects reuse
	RotateNearExpiry Rotation = "near_expiry" // after 70 % of the idle lifetime; before that, the same token
	RotateNever      Rotation = "never"       // never: always the same token; for confidential clients only
)

const (
	grantTypeCode        = "authorization_code"
	grantTypeRefresh     = "refresh_token"
	grantTypeCredentials = "client_credentials"
)

// Client is one application that may ask for tokens. It can be read from JSON, with lifetimes as strings such as "60s".
//
// A client with Secrets authenticates with client_secret_basic or client_secret_post, one with JWKS with
// private_key_jwt. A client with neither is public.
type Client struct {
	// ID is required: printable ASCII.
	ID   string `json:"client_id"`
	Name string `json:"client_name,omitempty"` // shown on the login page
	// Secrets that are valid now. To rotate, have two for a while.
	Secrets []Secret `json:"secrets,omitempty"`
	// JWKS is a JSON Web Key Set of public keys for private_key_jwt.
	JWKS json.RawMessage `json:"jwks,omitempty"`
	// GrantTypes are authorization_code, refresh_token and client_credentials; at least one, unless the client has
	// Serves.
	GrantTypes []string `json:"grant_types"`
	// RedirectURIs are compared byte by byte. With Native the port of http://127.0.0.1, http://[::1] and
	// http://localhost URIs may vary (RFC 8252, Section 7.3). There is no consent page: another program on the same
	// machine can pose as a native client while its user is signed in (RFC 8252, Section 8.6).
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	Native                 bool     `json:"native,omitempty"`
	// Scopes that the client may request. It gets refresh tokens if offline_access is here and in the request, and
	// refresh_token is in GrantTypes.
	Scopes []string `json:"scopes,omitempty"`
	// Origins of browser applications that may read the answers of the token, revocation and userinfo endpoints (CORS).
	Origins []string `json:"allowed_origins,omitempty"`
	// Serves names those of [Config].Resources that this client is the server of. It may introspect their tokens with a
	// secret or with JWKS, and read the revocation list with a secret. It needs no grant type for that.
	Serves []string `json:"serves,omitempty"`
	// DangerouslyOptionalPKCE permits a code flow without PKCE: somebody who finds a code, in a log or a referrer, then
	// needs only the client's secret. It is for confidential clients that cannot do better.
	DangerouslyOptionalPKCE bool `json:"dangerously_optional_pkce,omitempty"`

	// These override the server's settings. Zero means the server's.
	AccessTokenLifetime  time.Duration  `json:"-"`
	RefreshTokenLifetime time.Duration  `json:"-"`
	RefreshIdleLifetime  time.Duration  `json:"-"`
	RefreshGrace         *time.Duration `json:"-"`
	Rotation             Rotation       `json:"rotation,omitempty"`
}

// clone returns a copy that shares nothing with c.
func (c Client) clone() *Client {
	c.Secrets, c.JWKS = slices.Clone(c.Secrets), slices.Clone(c.JWKS)
	for _, list := range []*[]string{
		&c.GrantTypes, &c.RedirectURIs, &c.PostLogoutRedirectURIs, &c.Scopes, &c.Origins, &c.Serves,
	} {
		*list = slices.Clone(*list)
	}
	if c.RefreshGrace != nil {
		grace := *c.RefreshGrace
		c.RefreshGrace = &grace
	}
	return &c
}

// client returns the client with that id as it is configured now. Errors: ErrNotFound.
func (s *Server) client(ctx context.Context, id string) (*Client, error) {
	if c, ok := s.clients[id]; ok {
		return c, nil
	}
	if s.cfg.LookupClient == nil || id == "" {
		return nil, ErrNotFound
	}
	c, err := s.cfg.LookupClient(ctx, id)
	if err != nil {
		return nil, err
	}
	if c == nil || c.ID != id {
		return nil, ErrNotFound
	}
	if problems := s.cfg.validateClient(c); len(problems) > 0 {
		return nil, fmt.Errorf("authserver: client %q as looked up: %w", id, errors.Join(problems...))
	}
	return c, nil
}

// public reports whether the client has nothing to authenticate with.
func (c *Client) public() bool { return len(c.Secrets) == 0 && len(c.JWKS) == 0 }

func (c *Client) allows(grant string) bool { return slices.Contains(c.GrantTypes, grant) }

// offline reports whether the client may have refresh tokens.
func (c *Client) offline() bool {
	return c.allows(grantTypeRefresh) && slices.Contains(c.Scopes, scopeOffline)
}

// policy holds the settings that apply to one client.
type policy struct {
	access, refresh, idle, grace time.Duration
	rotation                     Rotation
}

func (c *Config) policyFor(cl *Client) policy {
	t := policy{c.AccessTokenLifetime, c.RefreshTokenLifetime, c.RefreshIdleLifetime, c.RefreshGrace, c.Rotation}
	t.access = cmp.Or(cl.AccessTokenLifetime, t.access)
	t.refresh = cmp.Or(cl.RefreshTokenLifetime, t.refresh)
	t.idle = cmp.Or(cl.RefreshIdleLifetime, t.idle)
	if cl.RefreshGrace != nil {
		t.grace = *cl.RefreshGrace
	}
	if cl.Rotation != "" {
		t.rotation = cl.Rotation
	}
	return t
}

// Secret is a client secret at rest: not the secret, but what [HashSecret] made of it.
type Secret struct {
	Hash string `json:"hash"`
	// ExpiresAt is when the secret stops working. Zero means never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

const secretPrefix = "sha256:"

// HashSecret returns the form in which a client secret is kept: SHA-256 without salt. That is right for generated
// secrets of 128 bits and more, which nobody can guess. Passwords that people choose need [HashPassword].
func HashSecret(secret string) Secret {
	sum := sha256.Sum256([]byte(secret))
	return Secret{Hash: secretPrefix + base64.RawURLEncoding.EncodeToString(sum[:])}
}

// matches compares in constant time.
func (s Secret) matches(secret string, now time.Time) bool {
	same := subtle.ConstantTimeCompare([]byte(s.Hash), []byte(HashSecret(secret).Hash)) == 1
	return same && (s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt))
}

// valid reports whether HashSecret could have returned s.
func (s Secret) valid() bool {
	enc, ok := strings.CutPrefix(s.Hash, secretPrefix)
	if !ok {
		return false
	}
	sum, err := base64.RawURLEncoding.DecodeString(enc)
	return err == nil && len(sum) == sha256.Size
}

// UnmarshalJSON reads a client. An unknown member is an error, so that a misspelt setting is noticed.
func (c *Client) UnmarshalJSON(data []byte) error {
	type plain Client
	in := struct {
		*plain
		Access  *jsonDuration `json:"access_token_lifetime"`
		Refresh *jsonDuration `json:"refresh_token_lifetime"`
		Idle    *jsonDuration `json:"refresh_idle_lifetime"`
		Grace   *jsonDuration `json:"refresh_grace"`
	}{plain: (*plain)(c)}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("authserver: client %q: %w", c.ID, err)
	}
	for dst, src := range map[*time.Duration]*jsonDuration{
		&c.AccessTokenLifetime: in.Access, &c.RefreshTokenLifetime: in.Refresh, &c.RefreshIdleLifetime: in.Idle,
	} {
		if src != nil {
			*dst = time.Duration(*src)
		}
	}
	if in.Grace != nil {
		grace := time.Duration(*in.Grace)
		c.RefreshGrace = &grace
	}
	return nil
}

// jsonDuration reads durations such as "90s".
type jsonDuration time.Duration

func (d *jsonDuration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`a lifetime must be a string such as "60s" or "720h"`)
	}
	v, err := time.ParseDuration(text)
	*d = jsonDuration(v)
	return err
}
