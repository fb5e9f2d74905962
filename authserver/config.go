package authserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bearergate/bearergate/jwks"
)

// Config says how a [Server] works. [NewConfig] makes it and fills in the defaults: what you print is what is in force,
// and 0 means 0. [New] copies what it needs; later changes have no effect.
type Config struct {
	// Issuer is the issuer identifier (RFC 8414, Section 2): an https URL without query and fragment, or an http one on
	// loopback. With a path, the server expects requests with that path, and requests for the well-known documents.
	Issuer string
	// AllowInsecureHTTP permits an http issuer on hosts other than loopback. Tokens and passwords then travel in the
	// clear.
	AllowInsecureHTTP bool

	// Keys signs tokens and publishes the key set. Nil means a rotator with keys in memory: all tokens become invalid
	// when the process ends.
	Keys *jwks.Rotator
	// Store keeps grants. NewConfig sets a [MemoryStore].
	Store Store
	// RefreshKeys are the secrets that refresh tokens, codes and login cookies are authenticated with, of 32 bytes or
	// more. The first one signs, all verify. To rotate, put a new key in front, and remove the old one after a refresh
	// token lifetime. Don't keep them in the Store. NewConfig makes a random key for this process: with a Store that
	// outlives the process, or with several processes, set keys of your own, or every refresh token becomes invalid at
	// a restart.
	RefreshKeys [][]byte

	// Clients that are known from the start. LookupClient, if set, is called for the others, and often. It returns an
	// error that wraps ErrNotFound for an unknown client.
	Clients      []Client
	LookupClient func(ctx context.Context, id string) (*Client, error)
	// Origins of browser applications of the clients that LookupClient returns. Those of Clients need not be repeated.
	Origins []string
	// Users finds and authenticates users. It is required if a client in Clients has authorization_code.
	Users Users
	// Login replaces the built-in login form and the login cookie behind it. A logout then revokes the grants; the
	// application ends its own login at the browser when it gets the event "logout".
	Login LoginFunc
	// Resources maps the name of each resource server (the aud of its tokens) to the scopes that belong to it. The
	// scopes openid, profile, email, phone, address and offline_access belong to the server itself.
	Resources map[string][]string

	// AccessTokenLifetime is also the lifetime of ID tokens. The default is 5 minutes, the minimum 1 s.
	AccessTokenLifetime time.Duration
	// CodeLifetime is how long an authorization code can be exchanged. The default is 60 s, the maximum 10 minutes.
	CodeLifetime time.Duration
	// RefreshTokenLifetime is the absolute lifetime of a grant. Then the user signs in again. The default is 30 days.
	RefreshTokenLifetime time.Duration
	// RefreshIdleLifetime ends a grant that has not been refreshed for that long. The default is 14 days.
	RefreshIdleLifetime time.Duration
	// RefreshGrace is how long a superseded refresh token still gets the current one. The default is 10 s, the maximum
	// 60 s. 0 is strict: any double submit revokes the grant. The grace should be longer than a failover of the store
	// takes: a client whose refresh was stored but whose answer was lost can only retry when the store is back.
	RefreshGrace time.Duration
	// MaxReplays limits how often the successor of one refresh token is handed out again within the grace. Beyond it
	// the answer is invalid_grant, nothing is revoked, and there is an event. Concurrent requests may exceed the limit
	// by their number. 0, the default, means no limit.
	MaxReplays int
	// RevokePreviousAccessToken revokes earlier access tokens whenever a grant gets a new refresh token. Introspection,
	// userinfo and APIs that use [Server.CheckAccessToken] then reject them. The revocation list does not have them,
	// because the grant goes on. They stay valid for RefreshGrace, so that requests in flight are not rejected; a grace
	// of 0 ends them at once. Off by default: an API that validates tokens by itself accepts them until they expire
	// anyway.
	RevokePreviousAccessToken bool
	// Rotation is RotateAlways by default.
	Rotation Rotation
	// MaxRollback is how many generations a refresh token may be ahead of the store, as happens when a store loses its
	// last commits. The grant then goes on. 0, the default: such a token is refused, and there is an event.
	MaxRollback int
	// GrantsPerClient limits the grants with refresh tokens of one user at one client; the oldest are revoked. 0, the
	// default, means no limit.
	GrantsPerClient int
	// LoginLifetime is how long a browser stays signed in at the built-in form. The default is 8 hours.
	LoginLifetime time.Duration

	// BeforeIssue, if set, is called before tokens are signed. It may add claims and response members, and may refuse
	// with ErrAccessDenied. Nothing has been written when it runs.
	BeforeIssue func(ctx context.Context, i *Issuance) error
	// OnEvent, if set, is called after something happened, on the goroutine of the request. See [Event].
	OnEvent func(ctx context.Context, e Event)
	// Logger gets events and errors, never a token, code, secret or password. Nil means no logging.
	Logger *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	made bool
}

// NewConfig returns the defaults for an issuer: a memory store and random keys, see the fields.
func NewConfig(issuer string) *Config {
	key := make([]byte, 32)
	rand.Read(key)
	return &Config{
		Issuer:               issuer,
		Store:                NewMemoryStore(),
		RefreshKeys:          [][]byte{key},
		AccessTokenLifetime:  5 * time.Minute,
		CodeLifetime:         time.Minute,
		RefreshTokenLifetime: 30 * 24 * time.Hour,
		RefreshIdleLifetime:  14 * 24 * time.Hour,
		RefreshGrace:         10 * time.Second,
		Rotation:             RotateAlways,
		LoginLifetime:        8 * time.Hour,
		made:                 true,
	}
}

// String returns the settings that are in force, without the keys.
func (c Config) String() string { return c.LogValue().String() }

// Format prints String for every verb, so that %+v and %#v don't show the keys.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns the settings that are in force, without the keys.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("issuer", c.Issuer), slog.Int("clients", len(c.Clients)), slog.Int("resources", len(c.Resources)),
		slog.Duration("access_token_lifetime", c.AccessTokenLifetime), slog.Duration("code_lifetime", c.CodeLifetime),
		slog.Duration("refresh_token_lifetime", c.RefreshTokenLifetime),
		slog.Duration("refresh_idle_lifetime", c.RefreshIdleLifetime), slog.Duration("refresh_grace", c.RefreshGrace),
		slog.Int("max_replays", c.MaxReplays), slog.Bool("revoke_previous_access_token", c.RevokePreviousAccessToken),
		slog.String("rotation", string(c.Rotation)), slog.Duration("login_lifetime", c.LoginLifetime))
}
