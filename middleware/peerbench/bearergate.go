package peerbench

import (
	"context"
	"net/http"

	"github.com/bearergate/bearergate/middleware"
)

// newBearergate is this project: the defaults, discovery, and the scope that the route asks for.
func newBearergate(ctx context.Context, target Target, next Handler) (http.Handler, error) {
	cfg := middleware.NewConfig(target.Issuer, target.Audience)
	cfg.Algorithms = target.Algorithms
	cfg.HTTPClient = target.Client
	auth, err := middleware.New(cfg)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = auth.Close() })
	var scopes []string
	if target.Scope != "" {
		scopes = append(scopes, target.Scope)
	}
	return auth.Require(scopes...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := middleware.FromContext(r.Context())
		next(w, r, token.Subject)
	})), nil
}
