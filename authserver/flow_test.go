package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
)

func TestCodeFlow(t *testing.T) {
	w := newWorld(t)
	r := w.signIn()

	assert.Equal(t, "Bearer", r.str("token_type"))
	assert.Equal(t, 300.0, r.json["expires_in"])
	assert.Equal(t, allScope, r.str("scope"))
	assert.Regexp(t, `^rt1_[A-Za-z0-9_-]{72}$`, r.str("refresh_token"))
	assert.Equal(t, "application/json;charset=UTF-8", r.header.Get("Content-Type"))
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
	assert.Equal(t, "no-cache", r.header.Get("Pragma"))

	head, access := claims(t, r.str("access_token"))
	assert.Equal(t, "at+jwt", head["typ"])
	assert.Equal(t, "ES256", head["alg"])
	assert.NotEmpty(t, head["kid"])
	now := float64(w.now().Unix())
	for name, want := range map[string]any{"iss": issuer, "sub": "alice-1", "aud": "api1", "client_id": mvcID, "scope": allScope,
		"iat": now, "exp": now + 300, "auth_time": now} {
		assert.Equal(t, want, access[name], name)
	}
	assert.NotEmpty(t, access["jti"])
	assert.NotEmpty(t, access["sid"])

	head, id := claims(t, r.str("id_token"))
	assert.Equal(t, "JWT", head["typ"])
	for name, want := range map[string]any{"iss": issuer, "sub": "alice-1", "aud": mvcID, "nonce": "n-0S6", "iat": now,
		"exp": now + 300, "auth_time": now, "sid": access["sid"], "name": "Alice Smith", "email": "alice@example.com"} {
		assert.Equal(t, want, id[name], name)
	}
}

func TestResourceServerAcceptsAccessToken(t *testing.T) {
	w := newWorld(t)
	cfg := middleware.NewConfig(issuer, "api1")
	cfg.Issuer.Keys, cfg.Now, cfg.Issuer.Profile = w.cfg.Keys, w.now, middleware.RFC9068
	bearer, err := middleware.New(cfg)
	require.NoError(t, err)
	api := bearer.Require("api1")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	call := func(token string) int {
		r := httptest.NewRequest("GET", "https://api.example/identity", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		api.ServeHTTP(rec, r)
		return rec.Code
	}
	first := w.signIn()
	assert.Equal(t, http.StatusNoContent, call(first.str("access_token")))
	w.advance(6*time.Minute + time.Second)
	assert.Equal(t, http.StatusUnauthorized, call(first.str("access_token")))
	again := w.refresh(first.str("refresh_token"))
	require.Equal(t, http.StatusOK, again.status, again.body)
	assert.Equal(t, http.StatusNoContent, call(again.str("access_token")))
	assert.Equal(t, http.StatusUnauthorized, call(again.str("id_token")), "an ID token is no access token")
}

func TestClientCredentials(t *testing.T) {
	w := newWorld(t)
	r := w.do(as(formRequest("/token", "grant_type", "client_credentials", "scope", "api1"), "worker", "worker secret"))
	require.Equal(t, http.StatusOK, r.status, r.body)
	assert.NotContains(t, r.json, "refresh_token")
	assert.NotContains(t, r.json, "id_token")
	_, access := claims(t, r.str("access_token"))
	assert.Equal(t, "worker", access["sub"])
	assert.Equal(t, "worker", access["client_id"])
	assert.Equal(t, "api1", access["aud"])
	assert.NotContains(t, access, "auth_time")
}

func TestRefreshRotates(t *testing.T) {
	w := newWorld(t)
	first := w.signIn()
	w.advance(time.Minute)
	second := w.refresh(first.str("refresh_token"), "scope", "api1 openid profile email phone address")
	require.Equal(t, http.StatusOK, second.status, second.body)
	assert.NotEqual(t, first.str("refresh_token"), second.str("refresh_token"))
	assert.NotEqual(t, first.str("access_token"), second.str("access_token"))
	assert.Equal(t, "api1 openid profile email phone address", second.str("scope"))
	_, id := claims(t, second.str("id_token"))
	assert.NotContains(t, id, "nonce")
	_, before := claims(t, first.str("id_token"))
	for _, same := range []string{"iss", "sub", "aud", "auth_time", "sid"} {
		assert.Equal(t, before[same], id[same], same)
	}
	third := w.refresh(second.str("refresh_token"))
	require.Equal(t, http.StatusOK, third.status, third.body)
	assert.Equal(t, allScope, third.str("scope"), "the refresh token keeps the scope of the grant")
}
