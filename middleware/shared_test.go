package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// What a handler, Check, a predicate or an event hook does to what its Token says is seen by nobody else, however often the
// same token comes.
func TestAChangedTokenChangesNothingForOthers(t *testing.T) {
	modify := func(tok *middleware.Token) {
		scopes, audience := tok.Scopes(), tok.Audience()
		_ = append(scopes, "admin")
		_ = append(audience[:0], "api2")
		scopes[0], audience[0] = "admin", "api2"
		var claims map[string]any
		if tok.Decode(&claims) == nil {
			claims["sub"], claims["scope"] = "mallory", "admin"
		}
		var text struct{ Sub json.RawMessage }
		if tok.Decode(&text) == nil {
			copy(text.Sub, `"mallo"`)
		}
	}
	for _, row := range []struct {
		name  string
		setup func(cfg *middleware.Config)
		serve func(auth *middleware.Bearer) http.Handler
	}{
		{"a handler", func(*middleware.Config) {}, func(auth *middleware.Bearer) http.Handler {
			return auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				tok, _ := middleware.FromContext(r.Context())
				modify(tok)
			}))
		}},
		{"a function that is given it", func(*middleware.Config) {}, func(auth *middleware.Bearer) http.Handler {
			return auth.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, tok *middleware.Token) { modify(tok) })
		}},
		{"a predicate", func(*middleware.Config) {}, func(auth *middleware.Bearer) http.Handler {
			return auth.RequireThat(middleware.Requirement{Allow: func(tok *middleware.Token) bool { modify(tok); return true }})(ok)
		}},
		{"Check", func(cfg *middleware.Config) {
			first := true
			cfg.Check = func(_ context.Context, tok *middleware.Token) error {
				if first {
					modify(tok)
				}
				first = false
				return nil
			}
		}, func(auth *middleware.Bearer) http.Handler { return auth.Handler(ok) }},
		{"OnEvent", func(cfg *middleware.Config) {
			first := true
			cfg.OnEvent = func(_ context.Context, e middleware.Event) {
				if first {
					modify(e.Token)
				}
				first = false
			}
		}, func(auth *middleware.Bearer) http.Handler { return auth.Handler(ok) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			row.setup(w.cfg)
			auth := w.bearer(t)
			r := w.iss.Request("GET", "/", authtest.Scope("read"))
			require.Equal(t, 200, serve(row.serve(auth), r).Code)
			for range 2 { // from the cache, twice
				assert.Equal(t, 403, serve(auth.Require("admin")(ok), r).Code)
				tok, err := auth.Check(r)
				require.NoError(t, err)
				assert.Equal(t, "alice", tok.Subject())
				assert.Equal(t, []string{"read"}, tok.Scopes())
				assert.Equal(t, []string{"api1"}, tok.Audience())
				var claims struct{ Sub, Scope string }
				require.NoError(t, tok.Decode(&claims))
				assert.Equal(t, "alice read", claims.Sub+" "+claims.Scope)
			}
		})
	}
}

// All requests with the same token are given the same one, so that a hit copies nothing.
func TestRequestsShareTheToken(t *testing.T) {
	w := newWorld(t)
	auth := w.bearer(t)
	r := w.iss.Request("GET", "/")
	first, err := auth.Check(r)
	require.NoError(t, err)
	second, err := auth.Check(r)
	require.NoError(t, err)
	assert.Same(t, first, second)
}

// The cache counts its room right, whatever is done with the tokens.
func TestTokensDoNotOverfillTheCache(t *testing.T) {
	w := newWorld(t)
	w.cfg.CacheBytes = 64 << 10
	auth := w.bearer(t)
	h := auth.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, tok *middleware.Token) { clear(tok.Scopes()) })
	for range 300 {
		require.Equal(t, 200, serve(h, w.iss.Request("GET", "/", authtest.Scope("a", "b", "c", "d", "e", "f", "g", "h"))).Code)
	}
	count, size, places := auth.Validator().CacheState()
	assert.Equal(t, count, places)
	assert.Greater(t, count, 5)
	assert.LessOrEqual(t, size, 64<<10)
}

// A context that was lent to another request brings no one else's identity into it.
func TestTheRequestsOwnTokenIsValidated(t *testing.T) {
	w := newWorld(t)
	auth := w.bearer(t)
	inner := auth.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		tok, _ := middleware.FromContext(r.Context())
		_, _ = rw.Write([]byte(tok.Subject()))
	}))
	alice := w.iss.Token()
	for _, row := range []struct {
		name, authorization string
		code                int
		body                string
	}{
		{"the same token", "Bearer " + alice, 200, "alice"},
		{"another user's", "Bearer " + w.iss.Token(authtest.Subject("bob")), 200, "bob"},
		{"none", "", 401, ""},
		{"garbage", "Bearer garbage", 401, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			outer := auth.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				lent := httptest.NewRequestWithContext(r.Context(), "GET", "/", nil)
				if row.authorization != "" {
					lent.Header.Set("Authorization", row.authorization)
				}
				rec := serve(inner, lent)
				assert.Equal(t, row.code, rec.Code)
				if row.body != "" {
					assert.Equal(t, row.body, rec.Body.String())
				}
			}))
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+alice)
			assert.Equal(t, 200, serve(outer, r).Code)
		})
	}
}

// Nor does it keep a token alive: the messages of a websocket, say, that become requests with the context of the one that
// opened it.
func TestAContextThatOutlivesItsToken(t *testing.T) {
	for _, bytes := range []int{0, 1 << 20} {
		w := newWorld(t)
		w.cfg.CacheBytes, w.cfg.ClockSkew = bytes, 10*time.Second
		checks := 0
		w.cfg.Check = func(context.Context, *middleware.Token) error { checks++; return nil }
		auth := w.bearer(t)
		auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for _, row := range []struct {
				after  time.Duration
				code   int
				checks int
			}{
				{0, 200, 2},
				{5*time.Minute + 8*time.Second, 200, 3},
				{5*time.Minute + 10*time.Second - 1, 200, 4},
				{5*time.Minute + 10*time.Second, 401, 4},
				{time.Hour, 401, 4},
			} {
				opened := w.iss.Now()
				w.iss.Advance(row.after)
				assert.Equal(t, row.code, serve(auth.Require("a")(ok), r).Code, row.after)
				assert.Equal(t, row.checks, checks, row.after)
				w.iss.Advance(opened.Sub(w.iss.Now()))
			}
		})).ServeHTTP(httptest.NewRecorder(), w.iss.Request("GET", "/", authtest.Scope("a")))
		assert.Equal(t, 4, checks)
	}
}

// What a context carries is asked the same question as a cache hit: the token's age, its key and Check.
func TestAContextThatOutlivesItsAcceptance(t *testing.T) {
	for _, bytes := range []int{0, 1 << 20} {
		for _, row := range []struct {
			name   string
			given  func(*middleware.Config)
			change func(w *world, revoke func())
			reason string
		}{
			{"nothing happens", func(*middleware.Config) {}, func(*world, func()) {}, middleware.ReasonAccepted},
			{"the token becomes too old", func(c *middleware.Config) { c.Issuer.MaxTokenAge = time.Minute },
				func(w *world, _ func()) { w.iss.Advance(3 * time.Minute) }, middleware.ReasonTooOld},
			{"the issuer drops the key", func(*middleware.Config) {}, func(w *world, _ func()) {
				w.iss.Rotate()
				w.iss.RemoveOldKeys()
				_, err := w.bearer(t).Validator().Validate(t.Context(), w.iss.Token()) // brings the new key set
				require.NoError(t, err)
			}, middleware.ReasonUnknownKey},
			{"Check learns of a revocation", func(*middleware.Config) {}, func(_ *world, revoke func()) { revoke() }, middleware.ReasonCheck},
		} {
			t.Run(fmt.Sprintf("%s, %d bytes of cache", row.name, bytes), func(t *testing.T) {
				w := newWorld(t)
				w.cfg.CacheBytes = bytes
				w.cfg.Issuer.Keys = source(w.iss.IssuerConfig().Keys.Lookup)
				row.given(w.cfg)
				var verdict error
				w.cfg.Check = func(context.Context, *middleware.Token) error { return verdict }
				auth := w.bearer(t)
				auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					row.change(w, func() { verdict = errRevoked })
					_, err := auth.Check(r)
					assert.Equal(t, row.reason, middleware.Reason(err))
				})).ServeHTTP(httptest.NewRecorder(), w.iss.Request("GET", "/"))
			})
		}
	}
}

// A context that is an ordinary one: what copies its values, as adaptors for other frameworks do, keeps the token.
func TestTheContextIsOrdinary(t *testing.T) {
	w := newWorld(t)
	w.bearer(t).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Equal(t, reflect.TypeOf(context.WithValue(t.Context(), otherKey{}, 0)), reflect.TypeOf(r.Context()))
		raw := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		type job struct{ ctx context.Context }
		for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
			assert.NotContains(t, fmt.Sprintf(verb, r.Context()), raw, verb)
			assert.NotContains(t, fmt.Sprintf(verb, job{r.Context()}), raw, verb)
			assert.NotContains(t, fmt.Sprintf(verb, &job{r.Context()}), raw, verb)
		}
	})).ServeHTTP(httptest.NewRecorder(), w.iss.Request("GET", "/"))
}

// A context that says that there was no token says nothing of a request that has one.
func TestAContextWithoutAToken(t *testing.T) {
	outer, inner := newWorld(t), newWorld(t)
	inner.cfg.Optional, inner.cfg.Credentials = true, middleware.OneOf(middleware.FromAuthorization, middleware.FromQuery)
	auth := inner.bearer(t)
	lent := context.Background()
	serve(outer.bearer(t).Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		own := r.Clone(r.Context())
		own.Header.Del("Authorization")
		auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { lent = r.Context() })).ServeHTTP(rw, own)
	})), outer.iss.Request("GET", "/"))
	r := httptest.NewRequestWithContext(lent, "GET", "/?access_token=", nil)
	_, err := auth.Check(r)
	require.ErrorIs(t, err, middleware.ErrInvalidRequest)
	assert.Equal(t, 400, serve(auth.Require()(ok), r).Code)
	assert.Equal(t, 400, serve(auth.Require("a")(ok), r).Code)
}

// Optional is about this Bearer's own token.
func TestOptionalBesideAnotherBearer(t *testing.T) {
	outer := newWorld(t)
	inner := newWorld(t)
	inner.cfg.Optional, inner.cfg.Credentials = true, middleware.OneOf(middleware.FromAuthorization, middleware.FromCookie("session"))
	subject := "nobody"
	whose := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		subject = "nobody"
		if tok, found := middleware.FromContext(r.Context()); found {
			subject = tok.Subject()
		}
	})
	h := outer.bearer(t).Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		own := r.Clone(r.Context())
		own.Header.Del("Authorization") // the inner one looks at its cookie
		inner.bearer(t).Handler(whose).ServeHTTP(rw, own)
	}))
	assert.Equal(t, 200, serve(h, outer.iss.Request("GET", "/")).Code)
	assert.Equal(t, "nobody", subject, "another Bearer's token is not handed on as this one's")

	t.Run("a Check that asks another Bearer", func(t *testing.T) {
		w, other := newWorld(t), newWorld(t).bearer(t)
		w.cfg.Optional = true
		w.cfg.Check = func(context.Context, *middleware.Token) error {
			_, err := other.Check(httptest.NewRequest("GET", "/", nil))
			return err
		}
		assert.Equal(t, 401, serve(w.bearer(t).Handler(ok), w.iss.Request("GET", "/")).Code, "a refused token is not an absent one")
	})
}

// The issuer of an event is known for a route's refusal inside another handler, too.
func TestEventsOfNestedRoutesNameTheIssuer(t *testing.T) {
	w := newWorld(t)
	var issuers []string
	w.cfg.OnEvent = func(_ context.Context, e middleware.Event) { issuers = append(issuers, e.Reason+" "+e.Issuer) }
	auth := w.bearer(t)
	assert.Equal(t, 403, serve(auth.Handler(auth.Require("admin")(ok)), w.iss.Request("GET", "/")).Code)
	assert.Equal(t, []string{"accepted " + w.iss.Name(), "insufficient_scope " + w.iss.Name()}, issuers)
}
