package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUserInfo(t *testing.T) {
	w := newWorld(t)
	call := func(token string) reply {
		r := httptest.NewRequest("GET", issuer+"/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return w.do(r)
	}
	r := w.signIn()
	out := call(r.str("access_token"))
	require.Equal(t, http.StatusOK, out.status, out.body)
	assert.Equal(t, map[string]any{"sub": "alice-1", "name": "Alice Smith", "email": "alice@example.com", "phone_number": "+1 555 0100",
		"address": map[string]any{"locality": "Wonderland"}}, out.json)
	assert.Equal(t, "no-store", out.header.Get("Cache-Control"))

	assert.Equal(t, map[string]any{"sub": "alice-1"}, call(w.signIn("scope", "openid").str("access_token")).json)
	byForm := w.do(formRequest("/userinfo", "access_token", r.str("access_token")))
	assert.Equal(t, "alice-1", byForm.json["sub"])

	out = call(w.signIn("scope", "api1").str("access_token"))
	assert.Equal(t, http.StatusForbidden, out.status)
	assert.Contains(t, out.header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	out = call("garbage")
	assert.Equal(t, http.StatusUnauthorized, out.status)
	assert.Contains(t, out.header.Get("WWW-Authenticate"), `Bearer `)
	assert.Equal(t, http.StatusUnauthorized, call(r.str("id_token")).status)

	require.Equal(t, http.StatusOK, w.mvc("/revoke", "token", r.str("refresh_token")).status)
	assert.Equal(t, http.StatusUnauthorized, call(r.str("access_token")).status, "the grant has ended")

	r = w.signIn()
	w.advance(5 * time.Minute)
	assert.Equal(t, http.StatusUnauthorized, call(r.str("access_token")).status, "at exp, to the second: it is the same clock")
	again := w.refresh(r.str("refresh_token")).str("access_token")
	w.users.Remove("alice-1")
	assert.Equal(t, http.StatusUnauthorized, call(again).status, "the user is gone")
}

func TestUserInfoByOtherMethods(t *testing.T) {
	r := newWorld(t).do(httptest.NewRequest("DELETE", issuer+"/userinfo", nil))
	assert.Equal(t, http.StatusMethodNotAllowed, r.status)
	assert.Equal(t, "GET, POST", r.header.Get("Allow"))
}
