package authserver_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// refreshToken is the refresh token of a new grant with the scopes of the demo.
func (w *world) refreshToken() string { return w.signIn().str("refresh_token") }

// The answer to a code and the answer to a refresh have the same form (RFC 6749, Sections 5.1 and 6).
func TestTokenAnswer(t *testing.T) {
	w := newWorld(t)
	first := w.signIn()
	second := w.refresh(first.str("refresh_token"))
	for _, r := range []reply{first, second} {
		require.Equal(t, http.StatusOK, r.status)
		assert.Equal(t, []string{"application/json;charset=UTF-8"}, r.header.Values("Content-Type"))
		assert.Equal(t, []string{"no-store"}, r.header.Values("Cache-Control"))
		assert.Equal(t, []string{"no-cache"}, r.header.Values("Pragma"))
		for _, name := range []string{"access_token", "id_token", "refresh_token", "scope"} {
			assert.NotEmpty(t, r.str(name), name)
		}
		assert.True(t, strings.EqualFold("bearer", r.str("token_type")))
		seconds, ok := r.json["expires_in"].(float64)
		assert.True(t, ok, "expires_in is a number")
		assert.NotZero(t, seconds)
		assert.Len(t, r.str("refresh_token"), 76, "as the package documentation says")
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(first.json)), slices.Collect(maps.Keys(second.json)))
	_, c := claims(t, second.str("access_token"))
	assert.Equal(t, "alice-1", c["sub"], "the user of the refresh token")
}

func TestRefreshRefusals(t *testing.T) {
	const other = "4d3f3061e8e049689a586d8dfcba0d08"
	for _, row := range []struct {
		name, want string
		pairs      []string
	}{
		{"an unknown grant_type", "unsupported_grant_type", []string{"grant_type", "nonsense"}},
		{"an invalid refresh token", "invalid_grant", []string{"grant_type", "refresh_token", "refresh_token", other}},
		{"grant_type comes before refresh_token", "unsupported_grant_type", []string{"grant_type", "nonsense", "refresh_token", "bad"}},
		{"no refresh_token", "invalid_request", []string{"grant_type", "refresh_token"}},
		{"a scope and no refresh_token", "invalid_request", []string{"grant_type", "refresh_token", "scope", "api1"}},
		{"no grant_type", "invalid_request", []string{"refresh_token", "x"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.refused(w.mvc("/token", row.pairs...), row.want)
		})
	}
	t.Run("a scope that was not granted", func(t *testing.T) {
		w := newWorld(t)
		w.refused(w.refresh(w.refreshToken(), "scope", "files:read"), "invalid_scope")
	})
	t.Run("a confidential client does not authenticate", func(t *testing.T) {
		w := newWorld(t)
		w.refused(w.form("/token", "grant_type", "refresh_token", "refresh_token", w.refreshToken(), "client_id", mvcID), "invalid_client")
	})
	t.Run("credentials of a public client are checked too", func(t *testing.T) {
		w := newWorld(t)
		w.refused(w.do(as(formRequest("/token", "grant_type", "refresh_token", "refresh_token", "x"), "spa", "guess")), "invalid_client")
	})
}

// A client that saves the whole answer needs all of it, also when it asks for less than was granted.
func TestRefreshForFewerScopes(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, allScope, w.refresh(w.refreshToken()).str("scope"), "no scope parameter: as before")
	r := w.refresh(w.refreshToken(), "scope", "api1 openid profile email phone address")
	require.Equal(t, http.StatusOK, r.status, r.body)
	assert.Equal(t, "api1 openid profile email phone address", r.str("scope"))
	for _, name := range []string{"id_token", "access_token", "refresh_token"} {
		assert.NotEmpty(t, r.str(name), name)
	}
	again := w.refresh(r.str("refresh_token"))
	assert.Equal(t, allScope, again.str("scope"), "the refresh token still has all that was granted")
}

// A day for the access token and a year for the refresh token.
func TestLongLifetimes(t *testing.T) {
	const access, refresh = 86400 * time.Second, 31536000 * time.Second
	w := newWorld(t, func(w *world) {
		w.cfg.AccessTokenLifetime, w.cfg.RefreshTokenLifetime, w.cfg.RefreshIdleLifetime = access, refresh, refresh
	})
	r := w.signIn()
	assert.Equal(t, access.Seconds(), r.json["expires_in"])
	w.advance(refresh - time.Millisecond)
	assert.Equal(t, http.StatusOK, w.refresh(r.str("refresh_token")).status)
	w.advance(time.Millisecond)
	w.refused(w.refresh(r.str("refresh_token")), "invalid_grant")
}

// The row says until when an API may accept an access token.
func TestAccessExpiresAt(t *testing.T) {
	const lifetime, clocks = 5 * time.Minute, 5 * time.Minute
	assert.Equal(t, lifetime, authserver.NewConfig(issuer).AccessTokenLifetime)
	w := newWorld(t)
	token := w.refreshToken()
	assert.Equal(t, w.now().Add(lifetime+clocks), w.row(token).AccessExpiresAt)
	w.advance(time.Minute)
	assert.Equal(t, w.now().Add(lifetime+clocks), w.row(w.refresh(token).str("refresh_token")).AccessExpiresAt)
}

func TestCodeLifetime(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.CodeLifetime = 10 * time.Minute })
	code := w.code()
	w.advance(10*time.Minute - time.Millisecond)
	assert.Equal(t, http.StatusOK, w.exchange(code).status)
	a := w.answer(w.do(httptest.NewRequest("GET", authorizeURL("response_type", "token"), nil)))
	assert.Equal(t, "unsupported_response_type", a.Get("error"), "there is no implicit grant")
}
