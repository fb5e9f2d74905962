package peerbench

import (
	"context"
	"net/http"

	"github.com/bearergate/bearergate/middleware"
)

// A Variant is a way to use this project: how it is configured, and how the handler is told the token.
type Variant struct {
	Name string
	// Configure changes the defaults; nil leaves them as they are.
	Configure func(cfg *middleware.Config)
	// Func hands the token to a function ([middleware.Bearer.HandlerFunc]), not to a handler by the context.
	Func bool
}

// New builds the API, like [Peer.New].
func (v Variant) New(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	cfg := middleware.NewConfig(target.Issuer, target.Audience)
	cfg.Issuer.Algorithms = target.Algorithms
	cfg.HTTPClient = target.Client
	if v.Configure != nil {
		v.Configure(cfg)
	}
	auth, err := middleware.New(cfg)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = auth.Close() })
	var scopes []string
	if target.Scope != "" {
		scopes = append(scopes, target.Scope)
	}
	if v.Func {
		return auth.HandlerFunc(func(w http.ResponseWriter, r *http.Request, token *middleware.Token) {
			next(w, r, token.Subject())
		}, scopes...), nil
	}
	return auth.Require(scopes...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := middleware.FromContext(r.Context())
		next(w, r, token.Subject())
	})), nil
}

// Uncached is for a Variant that verifies every token, as if it had not seen it before, and at once: the pause after forged
// signatures is no work, and one request after the other would measure it as such.
func Uncached(cfg *middleware.Config) { cfg.CacheBytes, cfg.MaxVerifications = 0, 0 }
