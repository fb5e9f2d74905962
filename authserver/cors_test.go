package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCORS(t *testing.T) {
	const own, evil = "http://127.0.0.1:5003", "https://evil.example"
	w := newWorld(t)
	preflight := func(path, origin string) reply {
		r := httptest.NewRequest("OPTIONS", issuer+path, nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization, content-type")
		return w.do(r)
	}
	for _, path := range []string{"/token", "/revoke", "/userinfo", "/auth/refreshtoken"} {
		r := preflight(path, own)
		assert.Equal(t, http.StatusNoContent, r.status)
		assert.Equal(t, own, r.header.Get("Access-Control-Allow-Origin"), path)
		assert.Contains(t, r.header.Get("Access-Control-Allow-Headers"), "Authorization")
		assert.Empty(t, r.header.Get("Access-Control-Allow-Credentials"), path)
		assert.Contains(t, r.header.Values("Vary"), "Origin")
		assert.Empty(t, preflight(path, evil).header.Get("Access-Control-Allow-Origin"), path)
	}
	send := func(origin string, r *http.Request) string {
		r.Header.Set("Origin", origin)
		return w.do(r).header.Get("Access-Control-Allow-Origin")
	}
	spa := func() *http.Request {
		return formRequest("/token", "grant_type", "refresh_token", "refresh_token", "x", "client_id", "spa")
	}
	assert.Equal(t, own, send(own, spa()), "errors too, so that the application can read them")
	assert.Empty(t, send(evil, spa()))
	assert.Empty(t, send(own, as(formRequest("/token", "grant_type", "client_credentials"), "worker", "worker secret")),
		"the origin of another client")
	assert.Empty(t, send(own, formRequest("/introspect", "token", "x", "client_id", "spa")), "introspection is not for browsers")
}
