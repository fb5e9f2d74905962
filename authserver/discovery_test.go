package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

func TestDiscoveryDocuments(t *testing.T) {
	for _, row := range []struct{ issuer, base, path string }{
		{"https://login.example", "https://login.example", "/.well-known/openid-configuration"},
		{"https://login.example", "https://login.example", "/.well-known/oauth-authorization-server"},
		{"https://login.example/", "https://login.example", "/.well-known/openid-configuration"},
		{"https://login.example/", "https://login.example", "//.well-known/openid-configuration"},
		{"https://login.example/t/one", "https://login.example/t/one", "/t/one/.well-known/openid-configuration"},
		{"https://login.example/t/one", "https://login.example/t/one", "/t/one/.well-known/oauth-authorization-server"},
		{"https://login.example/t/one", "https://login.example/t/one", "/.well-known/openid-configuration/t/one"},
		{"https://login.example/t/one", "https://login.example/t/one", "/.well-known/oauth-authorization-server/t/one"},
	} {
		t.Run(row.issuer+" at "+row.path, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.cfg.Issuer = row.issuer })
			r := w.do(httptest.NewRequest("GET", "https://login.example"+row.path, nil))
			require.Equal(t, http.StatusOK, r.status)
			assert.Equal(t, "application/json", r.header.Get("Content-Type"))
			assert.Equal(t, "*", r.header.Get("Access-Control-Allow-Origin"))
			assert.Equal(t, row.issuer, r.json["issuer"])
			for name, path := range map[string]string{"authorization_endpoint": "/authorize", "token_endpoint": "/token",
				"revocation_endpoint": "/revoke", "introspection_endpoint": "/introspect", "userinfo_endpoint": "/userinfo",
				"end_session_endpoint": "/end_session", "jwks_uri": "/.well-known/jwks.json"} {
				assert.Equal(t, row.base+path, r.json[name], name)
			}
			assert.Equal(t, []any{"S256"}, r.json["code_challenge_methods_supported"])
			assert.Equal(t, []any{"code"}, r.json["response_types_supported"])
			assert.Equal(t, []any{"ES256"}, r.json["id_token_signing_alg_values_supported"])
			assert.Equal(t, []any{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
				r.json["token_endpoint_auth_methods_supported"])
			assert.Equal(t, true, r.json["authorization_response_iss_parameter_supported"])
			assert.Subset(t, r.json["scopes_supported"], []any{"openid", "offline_access", "api1"})
		})
	}
}

func TestKeySetIsPublished(t *testing.T) {
	w := newWorld(t)
	head, _ := claims(t, w.signIn().str("access_token"))
	r := w.do(httptest.NewRequest("GET", issuer+"/.well-known/jwks.json", nil))
	require.Equal(t, http.StatusOK, r.status)
	assert.Contains(t, r.body, head["kid"])
	assert.NotContains(t, r.body, `"d"`, "no private key")
}

func TestUnknownPathIsNotFound(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, http.StatusNotFound, w.do(httptest.NewRequest("GET", issuer+"/nothing", nil)).status)
	assert.Equal(t, http.StatusMethodNotAllowed, w.do(httptest.NewRequest("POST", issuer+"/.well-known/openid-configuration", nil)).status)
}

func TestReady(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.srv.Ready(t.Context()))
	w = newWorld(t, func(w *world) { w.cfg.Store = brokenStore{w.cfg.Store} })
	assert.ErrorIs(t, w.srv.Ready(t.Context()), errBroken)
}

// brokenStore fails every read.
type brokenStore struct{ authserver.Store }

// A client adds a slash to an issuer that ends with one.
func TestDiscoveryWithTwoSlashes(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, 200, w.do(httptest.NewRequest("GET", issuer+"//.well-known/openid-configuration", nil)).status)
}

// TestDiscoveryErrorsSayWhatAndWhere lets discovery fail in each of the ways that a client meets, and reads the error.
func TestDiscoveryErrorsSayWhatAndWhere(t *testing.T) {
	w := newWorld(t)
	answer := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		})
	}
	for want, h := range map[string]http.Handler{
		"status 503":                        answer(503, ""),
		"status 404":                        answer(404, ""),
		`issuer is "https://login.example"`: w.srv, // the right document at the wrong address
		"names no issuer":                   answer(200, `{}`),
		"not a JSON object":                 answer(200, `<html>`),
	} {
		s := httptest.NewServer(h)
		remote, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: s.URL})
		require.NoError(t, err)
		err = remote.Ready(t.Context())
		assert.ErrorIs(t, err, jwks.ErrUnavailable)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, s.URL+"/.well-known/openid-configuration", "it says where")
		assert.NoError(t, remote.Close())
		s.Close()
	}
	gone := httptest.NewServer(answer(200, `{}`))
	gone.Close()
	remote, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: gone.URL})
	require.NoError(t, err)
	assert.ErrorContains(t, remote.Ready(t.Context()), "refused")
	assert.NoError(t, remote.Close())
}
