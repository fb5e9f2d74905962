package middleware

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// A Bearer guards http.Handlers: it is the HTTP face of a [Validator]. It is safe for concurrent use.
type Bearer struct {
	validator   *Validator
	realm       string
	metadataURL string
	metadata    http.Handler
	path        string // of the metadata
	retryAfter  []string
	answers     sync.Map // of *verdict to *answer
}

// New returns a Bearer for cfg. It does no I/O and starts nothing: keys are fetched when the first token comes. Its
// error names every problem of cfg at once.
func New(cfg *Config) (*Bearer, error) {
	v, err := NewValidator(cfg)
	if errors.Is(err, errNotMade) {
		return nil, err
	}
	if errs := cfg.httpProblems(); len(errs) > 0 {
		if v != nil {
			_ = v.Close()
		}
		return nil, errors.Join(append([]error{err}, errs...)...)
	}
	if err != nil {
		return nil, err
	}
	b := &Bearer{validator: v, realm: cfg.Realm, retryAfter: retryAfter(cfg.RetryAfter)}
	if b.realm == "" && cfg.Profile != ASPNET {
		b.realm = cfg.Audiences[0]
	}
	b.metadataURL, b.path, b.metadata = newMetadata(&v.cfg)
	return b, nil
}

// Check judges the token that r carries and writes nothing. It returns [ErrNoToken] when there is none, even with
// Optional; the other errors are those of [Validator.Validate] and [ErrInvalidRequest]. [Bearer.Deny] answers them.
//
// With AllowForm, Check reads the body of form requests, as [http.Request.ParseForm] does.
func (b *Bearer) Check(r *http.Request) (*Token, error) {
	tok, _, _, err := b.check(r, nil)
	return tok, err
}

// Handler passes requests with an acceptable token to next, which finds it with [FromContext], and answers the others.
func (b *Bearer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(w, r, next, nil) })
}

// Require returns Handler for tokens that have every one of the scopes; a token without them is answered with 403
// insufficient_scope, which names them. With none given it is Handler that wants a token even if Optional is set. Inside
// another Handler or Require of the same Bearer the same token is not judged a second time before it expires.
func (b *Bearer) Require(scopes ...string) func(http.Handler) http.Handler {
	return b.RequireThat(Requirement{Scopes: scopes})
}

// RequireThat is Require for everything else that can be asked of a token.
func (b *Bearer) RequireThat(req Requirement) func(http.Handler) http.Handler {
	rt := newRoute(req)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(w, r, next, rt) })
	}
}

// HandlerFunc is [Bearer.Require] for a function that is given the token as an argument: nothing is put into the request's
// context, so that [FromContext] does not find it there, and the request is not copied.
// tok is nil for a request without a token when Optional is set and no scopes are given, and for preflights that
// AllowPreflight lets through.
func (b *Bearer) HandlerFunc(next func(w http.ResponseWriter, r *http.Request, tok *Token), scopes ...string) http.Handler {
	var rt *route
	if len(scopes) > 0 {
		rt = newRoute(Requirement{Scopes: scopes})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tok, _, ok := b.admit(w, r, rt); ok {
			next(w, r, tok)
		}
	})
}

// Metadata returns the path and the handler of the protected resource metadata (RFC 9728), ready for
// mux.Handle(auth.Metadata()). The document answers GET, HEAD and CORS preflights without a token; without
// [Config.Resource] it is not found.
func (b *Bearer) Metadata() (path string, h http.Handler) { return b.path, b.metadata }

// Validator returns the Validator that judges for b.
func (b *Bearer) Validator() *Validator { return b.validator }

// Ready reports whether the keys of every issuer are at hand, see [Validator.Ready].
func (b *Bearer) Ready(ctx context.Context) error { return b.validator.Ready(ctx) }

// Close ends what runs in the background, see [Validator.Close].
func (b *Bearer) Close() error { return b.validator.Close() }

// serve is Handler and Require. rt is nil for Handler.
func (b *Bearer) serve(w http.ResponseWriter, r *http.Request, next http.Handler, rt *route) {
	tok, raw, ok := b.admit(w, r, rt)
	switch {
	case !ok:
	case tok == nil:
		next.ServeHTTP(w, b.anonymous(r))
	case raw == "": // it is in the context already
		next.ServeHTTP(w, r)
	default:
		next.ServeHTTP(w, b.pass(r, tok, raw))
	}
}

// admit decides whether r is let through, and answers it if it is not. tok is nil for a request that needs no token and has
// none; raw is empty for a token that this Bearer has found in r before.
func (b *Bearer) admit(w http.ResponseWriter, r *http.Request, rt *route) (tok *Token, raw string, ok bool) {
	cfg := &b.validator.cfg
	if cfg.AllowPreflight && isPreflight(r) {
		return nil, "", true
	}
	tok, raw, fromQuery, err := b.check(r, rt)
	switch {
	case err == nil:
	case rt == nil && cfg.Optional && err == error(errNoToken): //nolint:errorlint // another Bearer's, wrapped by Check, is not ours
		return nil, "", true
	default:
		b.Deny(w, r, err)
		return nil, "", false
	}
	if fromQuery {
		w.Header().Set("Cache-Control", "private") // RFC 6750 §2.3
	}
	return tok, raw, true
}

// check finds and judges the token of r, tells the outcome, and returns it. raw is empty if it was judged before.
func (b *Bearer) check(r *http.Request, rt *route) (tok *Token, raw string, fromQuery bool, err error) {
	v, ctx := b.validator, r.Context()
	raw, fromQuery, err = b.credentials(r)
	// The context may have been lent to another request: what this one carries must be what was judged. It may also have outlived
	// the token, as that of a websocket does, whose messages become requests.
	if j, ok := ctx.Value(contextKey{}).(*judged); ok && err == nil && j.by == b && j.token != nil && j.raw == raw && v.lasts(j.token) {
		if rt != nil {
			err = b.judgeRoute(ctx, rt, j.token, nil)
		}
		return j.token, "", fromQuery, err
	}
	if err == nil {
		e := v.recall(ctx, raw)
		if e != nil && v.silent {
			if rt != nil {
				err = b.judgeRoute(ctx, rt, e.token, e.issuer)
			}
			return e.token, raw, fromQuery, err
		}
		tok, err = b.judge(ctx, raw, e, rt)
		return tok, raw, fromQuery, err
	}
	v.report(ctx, &dossier{}, nil, err)
	return nil, "", fromQuery, err
}

// judgeRoute judges tok, which was accepted, for a route, and tells when it is refused.
func (b *Bearer) judgeRoute(ctx context.Context, rt *route, tok *Token, iss *issuer) error {
	err := rt.judge(tok, b.validator)
	if err != nil {
		b.validator.report(ctx, &dossier{issuer: iss}, tok, err)
	}
	return err
}

// judge judges raw, for which e may be known, and for a route if there is one, and tells the outcome.
func (b *Bearer) judge(ctx context.Context, raw string, e *verified, rt *route) (*Token, error) {
	var c dossier
	tok, err := b.validator.judge(ctx, raw, e, &c)
	if (err == error(errMalformed) || err == error(errTooLarge)) && !isB64Token(raw) { //nolint:errorlint // they come bare
		err = errCredentials // whatever has the form of a token has these characters only
	}
	if err == nil && rt != nil {
		err = rt.judge(tok, b.validator)
	}
	b.validator.report(ctx, &c, tok, err)
	if err != nil {
		return nil, err
	}
	return tok, nil
}
