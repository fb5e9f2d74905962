package middleware

import (
	"context"
)

type contextKey struct{}

// NewContext returns a context that carries tok, for tests of handlers that call [FromContext] or [Claims].
// [Bearer.Handler] and [Bearer.Require] do not trust it: they judge the request's own token.
func NewContext(ctx context.Context, tok *Token) context.Context {
	return context.WithValue(ctx, contextKey{}, tok)
}

// FromContext returns the token that was accepted for the request. It reports false when there is none: behind no
// Bearer at all, or behind one whose Config is Optional.
func FromContext(ctx context.Context) (*Token, bool) {
	tok, ok := ctx.Value(contextKey{}).(*Token)
	return tok, ok && tok != nil
}

// Claims decodes the claims of the request's token into a T. Its error is [ErrNoToken] when there is no token, or
// encoding/json's, wrapped, when the claims do not fit.
func Claims[T any](ctx context.Context) (T, error) {
	var c T
	tok, ok := FromContext(ctx)
	if !ok {
		return c, ErrNoToken
	}
	err := tok.Decode(&c)
	return c, err
}
