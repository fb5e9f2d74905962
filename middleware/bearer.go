package middleware

import (
	"context"
	"errors"
	"net/http"
)

// A Bearer protects http.Handlers: it is the HTTP face of a [Validator]. It is safe for concurrent use.
type Bearer struct {
	validator   *Validator
	style       *answering
	read        func(*http.Request) (string, error)
	realm       string
	metadataURL string
	metadata    http.Handler
	path        string // of the metadata
}

// New returns a Bearer for cfg. It does no I/O and starts nothing: keys are fetched when the first token comes. Its
// error names every problem of cfg at once.
func New(cfg *Config) (*Bearer, error) {
	v, err := NewValidator(cfg)
	if errors.Is(err, errNotMade) {
		return nil, err
	}
	if errs := cfg.checkHTTP(); len(errs) > 0 {
		if v != nil {
			_ = v.Close()
		}
		return nil, errors.Join(append([]error{err}, errs...)...)
	}
	if err != nil {
		return nil, err
	}
	b := &Bearer{validator: v, style: styles[cfg.Style], read: cfg.Credentials, realm: cfg.Realm}
	if b.read == nil {
		b.read = FromAuthorization
	}
	if b.realm == "" && b.style.realmIsAudience {
		b.realm = cfg.Issuer.Audiences[0]
	}
	b.metadataURL, b.path, b.metadata = newMetadata(&v.cfg)
	return b, nil
}

// Check validates the token that r carries and writes nothing. It returns [ErrNoToken] when there is none, even with
// Optional; the other errors are those of [Validator.Validate] and [ErrInvalidRequest]. [Bearer.Deny] answers them.
//
// With [FromForm], Check reads the body of form requests, as [http.Request.ParseForm] does.
func (b *Bearer) Check(r *http.Request) (*Token, error) {
	found, err := b.check(r, nil, fromContext(r.Context()))
	if err != nil {
		return nil, err
	}
	return found.token, nil
}

// Handler passes requests with an acceptable token to next, which finds it with [FromContext], and answers the others.
func (b *Bearer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(w, r, next, nil) })
}

// Require returns Handler for tokens that have every one of the scopes; a token without them is answered with 403
// insufficient_scope, which names them. With none given it is Handler that demands a token even if Optional is set.
// Inside another Handler or Require of the same Bearer, the same token's signature is not verified a second time; its
// times, its key and Check are asked again.
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

// HandlerFunc is [Bearer.Require] for a function that is given the token as an argument: nothing is put into the
// request's context, so that [FromContext] does not find it there, and the request is not copied. tok is nil for a
// request without a token when Optional is set and no scopes are given.
func (b *Bearer) HandlerFunc(next func(w http.ResponseWriter, r *http.Request, tok *Token), scopes ...string) http.Handler {
	var rt *route
	if len(scopes) > 0 {
		rt = newRoute(Requirement{Scopes: scopes})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := b.admit(w, r, rt, fromContext(r.Context()))
		switch {
		case !ok:
		case found == nil:
			next(w, r, nil)
		default:
			next(w, r, found.token)
		}
	})
}

// Metadata returns the path and the handler of the protected resource metadata (RFC 9728), ready for
// mux.Handle(auth.Metadata()). The document answers GET, HEAD and CORS preflights without a token; without
// [Config.Resource] it is not found.
func (b *Bearer) Metadata() (path string, h http.Handler) { return b.path, b.metadata }

// Validator returns the Validator of b.
func (b *Bearer) Validator() *Validator { return b.validator }

// Ready reports whether the keys of every issuer are at hand, see [Validator.Ready].
func (b *Bearer) Ready(ctx context.Context) error { return b.validator.Ready(ctx) }

// Close ends what runs in the background, see [Validator.Close].
func (b *Bearer) Close() error { return b.validator.Close() }

// serve is Handler and Require. rt is nil for Handler.
func (b *Bearer) serve(w http.ResponseWriter, r *http.Request, next http.Handler, rt *route) {
	ctx := r.Context()
	outer := fromContext(ctx)
	found, ok := b.admit(w, r, rt, outer)
	if !ok {
		return
	}
	if found != outer {
		r = r.WithContext(context.WithValue(ctx, contextKey{}, found))
	}
	next.ServeHTTP(w, r)
}

// admit decides whether r may pass, and answers it if it may not. outer is what the context of r carries. found is what
// the next handler's context has to carry, nil for a request without a token that needs none.
func (b *Bearer) admit(w http.ResponseWriter, r *http.Request, rt *route, outer *carried) (found *carried, ok bool) {
	cfg := &b.validator.cfg
	found, err := b.check(r, rt, outer)
	switch {
	case err == nil:
	case rt == nil && cfg.Optional && refusalOf(err) != nil && refusalOf(err).verdict == verdictNoToken && found == nil:
		if outer == nil {
			return nil, true
		}
		return &carried{by: b}, true // a token that another Bearer further out accepted is not this one's to hand on
	default:
		b.Deny(w, r, err)
		return nil, false
	}
	if cfg.Credentials != nil && r.URL.Query().Has("access_token") {
		w.Header().Set("Cache-Control", "private") // RFC 6750, Section 2.3
	}
	return found, true
}

// check finds and validates the token of r, for a route if there is one, and reports the outcome. It returns the accepted
// token together with an error when only Check or the route rejects it.
func (b *Bearer) check(r *http.Request, rt *route, outer *carried) (*carried, error) {
	v, ctx := b.validator, r.Context()
	raw, err := b.credentials(r)
	if err != nil {
		v.report(ctx, nil, err)
		return nil, err
	}
	if b.hasAccepted(ctx, outer, raw) {
		err := v.check(ctx, outer.accepted)
		if err == nil && rt != nil {
			err = rt.check(outer.token, v)
		}
		if err != nil {
			v.report(ctx, outer.accepted, err)
		}
		return outer, err
	}
	accepted, err := v.validate(ctx, raw)
	if r := refusalOf(err); r != nil &&
		(r.verdict == verdictMalformed || r.verdict == verdictTooLarge) && !isB64Token(raw) {
		err = refuse(verdictCredentials) // a token has these characters only
	}
	if err == nil && rt != nil {
		err = rt.check(&accepted.token, v)
	}
	v.report(ctx, accepted, err)
	if accepted == nil {
		return nil, err
	}
	return &carried{token: &accepted.token, by: b, raw: raw, accepted: accepted}, err
}

// hasAccepted reports whether this Bearer accepted raw for this request before, further out, and would do so again. The
// context may have been lent to another request: what this one carries must be what was accepted. It may also have
// outlived the token or its key, as that of a websocket does, whose messages become requests.
func (b *Bearer) hasAccepted(ctx context.Context, outer *carried, raw string) bool {
	return outer != nil && outer.by == b && outer.accepted != nil && outer.raw == raw &&
		b.validator.stillValid(ctx, outer.accepted)
}
