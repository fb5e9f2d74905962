package middleware

import "context"

type contextKey struct{}

// carried is what a request's context carries. It is behind a pointer, so that no print of a context shows the token.
type carried struct {
	token    *Token    // nil behind an Optional Bearer that let a request without one through
	by       *Bearer   // nil for NewContext
	raw      string    // the text that by accepted
	accepted *verified // nil for NewContext
}

// NewContext returns a context that carries tok for [FromContext] and [Claims], where no [Bearer] puts it there: behind
// [Validator.Validate] in front of a queue, gRPC or a websocket. [Bearer.Handler] and [Bearer.Require] do not trust it:
// they validate the request's own token.
func NewContext(ctx context.Context, tok *Token) context.Context {
	return context.WithValue(ctx, contextKey{}, &carried{token: tok})
}

// FromContext returns the token that was accepted for the request. It reports false when there is none: behind no
// Bearer at all, or for a request without a token behind one that is Optional.
func FromContext(ctx context.Context) (*Token, bool) {
	if c := fromContext(ctx); c != nil && c.token != nil {
		return c.token, true
	}
	return nil, false
}

func fromContext(ctx context.Context) *carried {
	c, _ := ctx.Value(contextKey{}).(*carried)
	return c
}

// Claims decodes the claims of the request's token into a T by encoding/json. Its error is [ErrNoToken] when there is
// no token, or encoding/json's, wrapped, when the claims do not fit.
func Claims[T any](ctx context.Context) (T, error) {
	var c T
	tok, ok := FromContext(ctx)
	if !ok {
		return c, ErrNoToken
	}
	err := tok.Decode(&c)
	return c, err
}
