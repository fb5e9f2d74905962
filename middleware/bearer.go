package middleware

import (
	"context"
	"net/http"
)

// A Bearer is the HTTP face of a [Validator]. It is safe for concurrent use.
type Bearer struct{ validator *Validator }

// New returns a Bearer. It does no I/O. Its error names every problem of cfg at once.
func New(cfg *Config) (*Bearer, error) {
	v, err := NewValidator(cfg)
	if err != nil {
		return nil, err
	}
	return &Bearer{validator: v}, nil
}

// Check judges the token of r and writes nothing.
func (b *Bearer) Check(r *http.Request) (*Token, error) { return nil, ErrNoToken }

// Handler passes requests with an acceptable token to next, and answers the others.
func (b *Bearer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.Deny(w, r, ErrNoToken) })
}

// Require is Handler for tokens that have every one of the scopes.
func (b *Bearer) Require(scopes ...string) func(http.Handler) http.Handler {
	return b.RequireThat(Requirement{Scopes: scopes})
}

// RequireThat is Handler for tokens that meet req.
func (b *Bearer) RequireThat(req Requirement) func(http.Handler) http.Handler {
	return b.Handler
}

// Deny answers r with the status, challenge and body that err stands for.
func (b *Bearer) Deny(w http.ResponseWriter, r *http.Request, err error) { w.WriteHeader(401) }

// Metadata returns the path and the handler of the RFC 9728 document, ready for mux.Handle(auth.Metadata()).
func (b *Bearer) Metadata() (path string, h http.Handler) {
	return "/.well-known/oauth-protected-resource", http.NotFoundHandler()
}

// Validator returns the Validator inside.
func (b *Bearer) Validator() *Validator { return b.validator }

// Ready reports whether the keys of every issuer can be had.
func (b *Bearer) Ready(ctx context.Context) error { return b.validator.Ready(ctx) }

// Close ends what the Bearer has running in the background.
func (b *Bearer) Close() error { return b.validator.Close() }
