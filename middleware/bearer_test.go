package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// The body of a refusal.
func TestBody(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*middleware.Config)
		ask    asking
		status int
		kind   string
		body   string
	}{
		{"no token: no error code in the body either", nil, header(), 401, "", ""},
		{"a bad token", nil, mint(authtest.Expired), 401, "application/json", `{"error":"invalid_token","error_description":"The access token expired"}`},
		{"a malformed request", nil, header("Bearer"), 400, "application/json", `{"error":"invalid_request","error_description":"The credentials are malformed"}`},
		{"no keys", func(c *middleware.Config) { c.Issuer.Keys = failingSource }, mint(), 503, "application/json", `{"error":"temporarily_unavailable","error_description":"Access tokens can't be verified at the moment"}`},
		{"no descriptions", func(c *middleware.Config) { c.DescribeErrors = false }, mint(authtest.Expired), 401, "application/json", `{"error":"invalid_token"}`},
		{"no body", func(c *middleware.Config) {
			c.WriteError = func(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) }
		}, mint(authtest.Expired), 401, "", ""},
		{"ASP.NET has none", func(c *middleware.Config) { c.Style = middleware.StyleASPNET }, mint(authtest.Expired), 401, "", ""},
		{"by HEAD", nil, request("HEAD", func(r *http.Request, _ string) { r.Header.Set("Authorization", "Bearer x.y.z") }), 401, "application/json", ""},
		{"a body of one's own", func(c *middleware.Config) {
			c.WriteError = func(w http.ResponseWriter, r *http.Request, status int, err error) {
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(status)
				fmt.Fprintf(w, "%s %s", r.Method, middleware.Reason(err))
			}
		}, mint(authtest.Expired), 401, "text/plain", "GET expired"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			if row.change != nil {
				row.change(w.cfg)
			}
			rec := serve(w.bearer(t).Handler(ok), row.ask(w))
			assert.Equal(t, row.status, rec.Code)
			assert.Equal(t, row.kind, rec.Header().Get("Content-Type"))
			assert.Equal(t, row.body, rec.Body.String())
			assert.Equal(t, row.status == 503, rec.Header().Get("WWW-Authenticate") == "")
		})
	}
}

var failingSource = source(func(context.Context, string, string) ([]*jwks.Key, error) { return nil, jwks.ErrUnavailable })

func TestRetryAfter(t *testing.T) {
	w := newWorld(t)
	w.cfg.Issuer.Keys = failingSource
	rec := serve(w.bearer(t).Handler(ok), w.iss.Request("GET", "/"))
	assert.Equal(t, 503, rec.Code)
	assert.Equal(t, "5", rec.Header().Get("Retry-After"))
	assert.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
}

// A token from the query makes the answer private; one from the header leaves it alone.
func TestCacheControl(t *testing.T) {
	w := newWorld(t)
	w.cfg.Credentials = middleware.OneOf(middleware.FromAuthorization, middleware.FromQuery)
	auth := w.bearer(t)
	for _, name := range []string{"access_token", "access%5Ftoken"} {
		rec := serve(auth.Handler(ok), httptest.NewRequest("GET", "/?"+name+"="+w.iss.Token(), nil))
		assert.Equal(t, 200, rec.Code)
		assert.Equal(t, "private", rec.Header().Get("Cache-Control"))
	}
	rec := serve(auth.Handler(ok), w.iss.Request("GET", "/"))
	assert.Empty(t, rec.Header().Values("Cache-Control"))
}

// Check decides and writes nothing; it knows nothing of Optional.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.cfg.Optional = true
	auth := w.bearer(t)
	_, err := auth.Check(httptest.NewRequest("GET", "/", nil))
	assert.ErrorIs(t, err, middleware.ErrNoToken)
	tok, err := auth.Check(w.iss.Request("GET", "/"))
	require.NoError(t, err)
	assert.Equal(t, "alice", tok.Subject())
	tok, err = auth.Check(w.iss.Request("GET", "/", authtest.Expired))
	assert.ErrorIs(t, err, middleware.ErrInvalidToken)
	assert.Nil(t, tok)
}

// Deny answers any error by its class, and an error of none with 500 and nothing to read.
func TestDeny(t *testing.T) {
	w := newWorld(t)
	auth := w.bearer(t)
	for _, row := range []struct {
		err    error
		status int
		says   string
	}{
		{middleware.ErrNoToken, 401, challenge},
		{fmt.Errorf("x: %w", middleware.ErrInvalidRequest), 400, badRequest(malformedCredentials)},
		{fmt.Errorf("x: %w", middleware.ErrInvalidToken), 401, invalid(refusedByCheck)},
		{middleware.ErrInsufficientScope, 403, insufficient(notPermitted, "")},
		{middleware.ErrInsufficientAuthentication, 401, stepUp(weakAuth, "")},
		{middleware.ErrKeysUnavailable, 503, ""},
		{middleware.ErrCheckUnavailable, 503, ""},
		{errors.New("database secret"), 500, ""},
	} {
		rec := httptest.NewRecorder()
		auth.Deny(rec, httptest.NewRequest("GET", "/", nil), row.err)
		assert.Equal(t, row.status, rec.Code, row.err)
		assert.Equal(t, row.says, rec.Header().Get("WWW-Authenticate"), row.err)
		assert.NotContains(t, rec.Body.String(), "secret")
	}
}

// Inside another Handler or Require of the same Bearer the signature is not verified again; behind another Bearer it is.
func TestNestedHandlers(t *testing.T) {
	w := newWorld(t)
	events := 0
	w.cfg.OnEvent = func(context.Context, middleware.Event) { events++ }
	auth := w.bearer(t)
	assert.Equal(t, 200, serve(auth.Handler(auth.Require("a")(auth.Handler(ok))), w.iss.Request("GET", "/", authtest.Scope("a"))).Code)
	assert.Equal(t, 1, events)
	events = 0
	rec := serve(auth.Handler(auth.Require("b")(ok)), w.iss.Request("GET", "/", authtest.Scope("a")))
	assert.Equal(t, 403, rec.Code)
	assert.Equal(t, insufficient(noScope, "b"), rec.Header().Get("WWW-Authenticate"))
	assert.Equal(t, 2, events, "accepted, then refused for the scope")

	stranger := newWorld(t)
	stranger.cfg.Issuer.Audiences = []string{"api2"}
	rec = serve(auth.Handler(stranger.bearer(t).Handler(ok)), w.iss.Request("GET", "/"))
	assert.Equal(t, 401, rec.Code, "another Bearer validates for itself")
}

// A token in the context that no Bearer put there opens nothing.
func TestNewContextGrantsNothing(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(middleware.NewContext(r.Context(), authtest.NewIssuer(t).Accepted(authtest.Scope("a"))))
	assert.Equal(t, 401, serve(w.bearer(t).Require("a")(ok), r).Code)
}

// What a handler sees.
func TestHandlerSeesTokenAndContext(t *testing.T) {
	w := newWorld(t)
	w.cfg.Optional = true
	h := w.bearer(t).Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		tok, found := middleware.FromContext(r.Context())
		claims, err := middleware.Claims[struct {
			Sub    string
			Tenant string
		}](r.Context())
		if !found {
			assert.Nil(t, tok)
			assert.ErrorIs(t, err, middleware.ErrNoToken)
			_, _ = rw.Write([]byte("nobody"))
			return
		}
		assert.NoError(t, err)
		_, _ = rw.Write([]byte(tok.Subject() + " " + claims.Sub + " " + claims.Tenant + " " + r.Context().Value(otherKey{}).(string)))
	}))
	r := w.iss.Request("GET", "/", authtest.Claim("tenant", "acme"))
	r = r.WithContext(context.WithValue(r.Context(), otherKey{}, "kept"))
	assert.Equal(t, "alice alice acme kept", serve(h, r).Body.String())
	assert.Equal(t, "nobody", serve(h, httptest.NewRequest("GET", "/", nil)).Body.String())
}

type otherKey struct{}

// The form is left for the handler to read.
func TestFormIsKept(t *testing.T) {
	w := newWorld(t)
	w.cfg.Credentials = middleware.FromForm
	h := w.bearer(t).Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write([]byte(r.PostFormValue("a"))) }))
	r := httptest.NewRequest("POST", "/", strings.NewReader("a=b&access_token="+w.iss.Token()))
	r.Header.Set("Content-Type", urlencoded)
	assert.Equal(t, "b", serve(h, r).Body.String())
}

// The answers of two refusals don't share a header: a handler that adds to one leaves the other alone.
func TestAnswersAreSeparate(t *testing.T) {
	w := newWorld(t)
	auth := w.bearer(t)
	one, two := httptest.NewRecorder(), httptest.NewRecorder()
	auth.Deny(one, httptest.NewRequest("GET", "/", nil), middleware.ErrNoToken)
	one.Header().Add("WWW-Authenticate", "Basic")
	one.Header()["Www-Authenticate"][0] = "x"
	auth.Deny(two, httptest.NewRequest("GET", "/", nil), middleware.ErrNoToken)
	assert.Equal(t, []string{challenge}, two.Header().Values("WWW-Authenticate"))
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	w.cfg.Resource = "https://api.test/v1"
	w.cfg.MoreIssuers = []middleware.Issuer{w.iss2(t).IssuerConfig()}
	w.cfg.ResourceMetadata = map[string]any{"scopes_supported": []string{"read"}, "resource_name": "Orders & more"}
	mux := http.NewServeMux()
	mux.Handle(w.bearer(t).Metadata())
	const path = "/.well-known/oauth-protected-resource/v1"

	rec := serve(mux, httptest.NewRequest("GET", path, nil))
	assert.Equal(t, 200, rec.Code)
	assert.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	assert.Equal(t, "*", rec.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, rec.Body.String(), "Orders & more")
	var doc map[string]any
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
	assert.Equal(t, map[string]any{
		"resource":                 "https://api.test/v1",
		"authorization_servers":    []any{"https://issuer.test", "https://other.test"},
		"bearer_methods_supported": []any{"header"},
		"scopes_supported":         []any{"read"},
		"resource_name":            "Orders & more",
	}, doc)

	assert.Equal(t, 405, serve(mux, httptest.NewRequest("POST", path, nil)).Code)
	assert.Equal(t, 204, serve(mux, httptest.NewRequest("OPTIONS", path, nil)).Code)
	assert.Equal(t, 200, serve(mux, httptest.NewRequest("HEAD", path, nil)).Code)
	_, h := w.bearer(t).Metadata()
	assert.Equal(t, 404, serve(h, httptest.NewRequest("GET", path+"/x", nil)).Code, "the exact path only")
	assert.Equal(t, 404, serve(h, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource", nil)).Code)

	w.cfg.Credentials, w.cfg.ResourceMetadata = middleware.FromForm, nil
	_, h = w.bearer(t).Metadata()
	assert.NotContains(t, serve(h, httptest.NewRequest("GET", path, nil)).Body.String(), "bearer_methods_supported", "how a reader of one's own works is not known")

	_, h = newWorld(t).bearer(t).Metadata()
	assert.Equal(t, 404, serve(h, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource", nil)).Code, "without Resource")
}

// HandlerFunc answers as Handler and Require do, and hands the token over.
func TestHandlerFunc(t *testing.T) {
	w := newWorld(t)
	w.cfg.Optional, w.cfg.Credentials = true, middleware.OneOf(middleware.FromAuthorization, middleware.FromQuery)
	auth := w.bearer(t)
	var got *middleware.Token
	reached := 0
	note := func(_ http.ResponseWriter, r *http.Request, tok *middleware.Token) {
		_, inContext := middleware.FromContext(r.Context())
		assert.False(t, inContext)
		got = tok
		reached++
	}
	free, needs := auth.HandlerFunc(note), auth.HandlerFunc(note, "write")
	assert.Equal(t, 200, serve(free, w.iss.Request("GET", "/")).Code)
	assert.Equal(t, "alice", got.Subject())
	assert.Equal(t, 200, serve(free, httptest.NewRequest("GET", "/", nil)).Code)
	assert.Nil(t, got)
	assert.Equal(t, 200, serve(needs, w.iss.Request("GET", "/", authtest.Scope("write"))).Code)
	assert.NotNil(t, got)
	assert.Equal(t, 3, reached)
	assert.Equal(t, 401, serve(needs, httptest.NewRequest("GET", "/", nil)).Code)
	assert.Equal(t, 403, serve(needs, w.iss.Request("GET", "/", authtest.Scope("read"))).Code)
	assert.Equal(t, 401, serve(free, w.iss.Request("GET", "/", authtest.Expired)).Code)
	assert.Equal(t, 3, reached)
	rec := serve(free, httptest.NewRequest("GET", "/?access_token="+w.iss.Token(), nil))
	assert.Equal(t, "private", rec.Header().Get("Cache-Control"))
}
