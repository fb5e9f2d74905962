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

// Config says how a [Server] works. It is made by [NewConfig], which fills in the defaults: what you print is what is in
// force, and 0 means 0. [New] copies what it needs; later changes have no effect.
type Config struct {
	// Issuer is the issuer identifier (RFC 8414 section 2): an https URL without query and fragment, or an http one on
	// loopback. With a path, the server expects to see requests with that path, and the well-known ones.
	Issuer string
	// AllowInsecureHTTP permits an http issuer on other hosts than loopback. Tokens and passwords then travel in the clear.
	AllowInsecureHTTP bool

	// Keys signs tokens and publishes the key set. Nil: a rotator of the server's own whose keys live in memory, so that all
	// tokens die with the process.
	Keys *jwks.Rotator
	// Store keeps grants. NewConfig sets a [MemoryStore].
	Store Store
	// RefreshKeys are the secrets, of 32 bytes or more, that refresh tokens, codes and login cookies are authenticated with.
	// The first one signs, all verify: to rotate, put a new one in front and drop the old one a refresh lifetime later. They
	// must not be kept in the Store. NewConfig makes a random one for this process; with a Store that outlives the
	// process, or with several processes, they have to come from outside, or every refresh token dies at a restart.
	RefreshKeys [][]byte

	// Clients that are known from the start. LookupClient, if set, is asked for the others; it returns ErrNotFound (wrapped or
	// not) for an unknown one, and is called often.
	Clients      []Client
	LookupClient func(ctx context.Context, id string) (*Client, error)
	// Origins of browser applications of the clients that LookupClient knows; those of Clients need not be repeated.
	Origins []string
	// Users knows the people; required if any client has authorization_code.
	Users Users
	// Login replaces the built-in login form, and the browser login behind it: a logout then ends the grants, and what the
	// application knows of the browser is for the application to end (event "logout").
	Login LoginFunc
	// Resources maps the name of each resource server (the aud of its tokens) to the scopes that belong to it. The scopes
	// openid, profile, email, phone, address and offline_access belong to the server itself.
	Resources map[string][]string

	// AccessTokenLifetime is 5 minutes by default, at least 1 s; ID tokens live as long.
	AccessTokenLifetime time.Duration
	// CodeLifetime is how long an authorization code can be exchanged: 60 s by default, at most 10 minutes.
	CodeLifetime time.Duration
	// RefreshTokenLifetime is the absolute life of a grant, 30 days by default: after that the user signs in again.
	RefreshTokenLifetime time.Duration
	// RefreshIdleLifetime ends a grant that is not used for so long, 14 days by default.
	RefreshIdleLifetime time.Duration
	// RefreshGrace is how long a superseded refresh token still gets its current successor: 10 s by default, at most 60 s. 0 is
	// strict: any double submit ends the grant. It should be longer than the store is away in a failover: a client whose refresh
	// was stored, and whose answer was lost with the store, can only ask again when the store is back.
	RefreshGrace time.Duration
	// MaxReplays limits how often the successor of one refresh token is handed out again within the grace; beyond it the answer
	// is a plain invalid_grant, nothing is revoked, and an event tells of it. Requests that arrive together may exceed it by as
	// many as they are. 0, the default: no limit.
	MaxReplays int
	// RevokePreviousAccessToken ends, with each new refresh token, the access tokens that came with the former ones: for
	// introspection, userinfo and the APIs that use [Server.CheckAccessToken], not for those that read the revocation list: the
	// grant goes on. They stay good for RefreshGrace, like the refresh
	// token they came with, so that requests on their way are not refused; a grace of 0 ends them at once. Off by default: an
	// API that judges tokens by itself takes them until they expire anyway.
	RevokePreviousAccessToken bool
	// Rotation is RotateAlways by default.
	Rotation Rotation
	// MaxRollback lets a grant go on when a client presents a token that is so many generations ahead of the store, as
	// happens when a store loses its last commits. 0, the default: such a token is refused and an event tells of it.
	MaxRollback int
	// GrantsPerClient limits the grants of one user at one client; the oldest give way. 0, the default: no limit.
	GrantsPerClient int
	// LoginLifetime is how long a browser stays signed in at the built-in form: 8 hours by default.
	LoginLifetime time.Duration

	// BeforeIssue, if set, is called before tokens are signed; it may add claims and response members, and refuse with
	// ErrAccessDenied. Nothing has been written when it runs.
	BeforeIssue func(ctx context.Context, i *Issuance) error
	// OnEvent, if set, is told what happened, after it happened, on the request's goroutine. See [Event].
	OnEvent func(ctx context.Context, e Event)
	// Logger gets events and errors, never a token, code, secret or password. Nil: silence.
	Logger *slog.Logger
	// Now is the clock; nil: time.Now.
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

// String shows the settings that are in force, without the keys.
func (c Config) String() string { return c.LogValue().String() }

// Format prints String for every verb, so that %+v and %#v don't show the keys.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue shows the settings that are in force, without the keys.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("issuer", c.Issuer), slog.Int("clients", len(c.Clients)), slog.Int("resources", len(c.Resources)),
		slog.Duration("access_token_lifetime", c.AccessTokenLifetime), slog.Duration("code_lifetime", c.CodeLifetime),
		slog.Duration("refresh_token_lifetime", c.RefreshTokenLifetime),
		slog.Duration("refresh_idle_lifetime", c.RefreshIdleLifetime), slog.Duration("refresh_grace", c.RefreshGrace),
		slog.Int("max_replays", c.MaxReplays), slog.Bool("revoke_previous_access_token", c.RevokePreviousAccessToken),
		slog.String("rotation", string(c.Rotation)), slog.Duration("login_lifetime", c.LoginLifetime))
}
