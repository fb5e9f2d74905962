package middleware

import (
	"context"
	"fmt"
	"net/http"
)

type contextKey struct{}

// judged is a request's context with the token that was accepted, and by whom.
type judged struct {
	context.Context
	token *Token  // nil behind an Optional Bearer that let a request without one through
	by    *Bearer // nil for NewContext
	raw   string  // what was judged
}

// String and Format are there so that no print of a context shows raw.
func (j *judged) String() string { return fmt.Sprint(j.Context) + ".WithToken" }

func (j *judged) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(j.String())) }

func (j *judged) Value(key any) any {
	if key == (contextKey{}) {
		return j
	}
	return j.Context.Value(key)
}

// A passed is what a handler is given, in one piece of memory: to allocate is most of what a hit costs.
type passed struct {
	request http.Request
	judged  judged
}

// pass returns r with the token in its context.
func (b *Bearer) pass(r *http.Request, tok *Token, raw string) *http.Request {
	p := &passed{judged: judged{Context: r.Context(), token: tok, by: b, raw: raw}}
	p.request = *r.WithContext(&p.judged) // which is inlined: its own copy is on the stack
	return &p.request
}

// anonymous returns r for a handler behind an Optional Bearer that found no token: if another Bearer further out found one,
// it is not this one's to hand on.
func (b *Bearer) anonymous(r *http.Request) *http.Request {
	if _, ok := r.Context().Value(contextKey{}).(*judged); !ok {
		return r
	}
	return r.WithContext(&judged{Context: r.Context(), by: b})
}

// NewContext returns a context that carries tok for [FromContext] and [Claims], where no [Bearer] puts it there: behind
// [Validator.Validate] in front of a queue, gRPC or a websocket. [Bearer.Handler] and [Bearer.Require] do not trust it: they
// judge the request's own token.
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
