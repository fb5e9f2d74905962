package authclient

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Config says where tokens may go and how they are refreshed. Make it with [NewConfig], which fills in the defaults.
type Config struct {
	// OAuth2 is the client. Required.
	OAuth2 *oauth2.Config

	// Origins are the base URLs the token may be sent to. Required.
	Origins []string

	// Base sends the requests; nil means http.DefaultTransport.
	Base http.RoundTripper

	// TokenTransport sends the refresh requests; nil means Base.
	TokenTransport http.RoundTripper

	// RefreshScopes is the scope parameter of the refresh request; nil omits it.
	RefreshScopes []string

	// Store keeps the token; nil means memory.
	Store Store

	// Save is called with every new token before a request uses it.
	Save func(ctx context.Context, token *oauth2.Token) error

	// OnSessionEnded is called exactly once when the session is over.
	OnSessionEnded func(err error)

	// OnPersistError is called when Store or Save fails.
	OnPersistError func(err error)

	Lenient           bool
	ReplayUnsafe      bool
	MaxReplayBody     int64
	Margin            time.Duration
	Timeout           time.Duration
	AllowInsecureHTTP bool
	Now               func() time.Time

	made bool
}

// NewConfig returns a Config with the defaults for the client oauth and the base URLs its token may be sent to.
func NewConfig(oauth *oauth2.Config, origins ...string) *Config {
	return &Config{OAuth2: oauth, Origins: origins, ReplayUnsafe: true, Margin: 10 * time.Second, Timeout: 30 * time.Second, Now: time.Now, made: true}
}
