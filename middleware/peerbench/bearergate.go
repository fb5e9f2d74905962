package peerbench

import (
	"context"
	"net/http"

	"github.com/bearergate/bearergate/middleware"
)

// A Variant is one way to use Bearergate: its configuration, and how the handler gets the token.
type Variant struct {
	Name string
	// Configure changes the defaults; nil leaves them as they are.
	Configure func(cfg *middleware.Config)
	// Func passes the token to a function ([middleware.Bearer.HandlerFunc]) instead of in the request's context.
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

// Uncached configures a Variant to verify every token, without a cache and without the pause after forged signatures: one
// client alone would measure that pause as work.
func Uncached(cfg *middleware.Config) { cfg.CacheBytes, cfg.MaxVerifications = 0, 0 }
