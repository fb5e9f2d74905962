package middleware

import (
	"context"
	"net/http"
)

type contextKey struct{}

// judged is a request's context with the token that was accepted, and by whom.
type judged struct {
	context.Context
	token *Token  // nil behind an Optional Bearer that let a request without one through
	by    *Bearer // nil for NewContext
	raw   *string // what was judged; by address, so that no print of a context shows it
}

func (j *judged) Value(key any) any {
	if key == (contextKey{}) {
		return j
	}
	return j.Context.Value(key)
}

// pass returns r with the token in its context. (One piece of memory for both was tried: it saves an allocation, and takes
// longer as soon as the garbage collector runs, because the request is then copied twice, with write barriers.)
func (b *Bearer) pass(r *http.Request, h *handed) *http.Request {
	h.place = judged{Context: r.Context(), token: &h.token, by: b, raw: &h.raw}
	return r.WithContext(&h.place)
}

// anonymous returns r for a handler behind an Optional Bearer that found no token: if another Bearer further out found one,
// it is not this one's to hand on.
func (b *Bearer) anonymous(r *http.Request) *http.Request {
	if _, ok := r.Context().Value(contextKey{}).(*judged); !ok {
		return r
	}
	return r.WithContext(&judged{Context: r.Context(), by: b})
}

// NewContext returns a context that carries tok, for tests of handlers that call [FromContext] or [Claims].
// [Bearer.Handler] and [Bearer.Require] do not trust it: they judge the request's own token.
func NewContext(ctx context.Context, tok *Token) context.Context {
	return &judged{Context: ctx, token: tok}
}

// FromContext returns the token that was accepted for the request. It reports false when there is none: behind no
// Bearer at all, or for a request without a token behind one that is Optional.
func FromContext(ctx context.Context) (*Token, bool) {
	if j, ok := ctx.Value(contextKey{}).(*judged); ok && j.token != nil {
		return j.token, true
	}
	return nil, false
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
