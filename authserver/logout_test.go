package authserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

func TestLogout(t *testing.T) {
	back := "http://127.0.0.1:5002/"
	type signedIn struct {
		*world
		b      *browser
		tokens reply
	}
	open := func(t *testing.T) signedIn {
		w := newWorld(t)
		b := w.browser()
		a := w.answer(b.submit(b.get(authorizeURL()), "username", "alice", "password", "alice"))
		tokens := w.exchange(a.Get("code"))
		require.Equal(t, http.StatusOK, tokens.status)
		return signedIn{w, b, tokens}
	}
	target := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return issuer + "/end_session?" + v.Encode()
	}
	signedOut := func(t *testing.T, s signedIn) {
		assert.Equal(t, http.StatusOK, s.b.get(authorizeURL()).status, "the form is there again")
		s.refused(s.refresh(s.tokens.str("refresh_token")), "invalid_grant")
		assert.Equal(t, "logout", s.row(s.tokens.str("refresh_token")).RevokeReason)
	}
	t.Run("with the ID token of the login", func(t *testing.T) {
		s := open(t)
		s.advance(time.Hour) // an expired ID token still says which login it was
		r := s.b.do(httptest.NewRequest("GET", target("id_token_hint", s.tokens.str("id_token"), "post_logout_redirect_uri", back, "state", "s"), nil))
		assert.Equal(t, http.StatusSeeOther, r.status)
		assert.Equal(t, back+"?state=s", r.header.Get("Location"))
		signedOut(t, s)
	})
	t.Run("without it the user is asked", func(t *testing.T) {
		s := open(t)
		page := s.b.get(target("client_id", mvcID, "post_logout_redirect_uri", back))
		require.Equal(t, http.StatusOK, page.status)
		assert.Equal(t, http.StatusSeeOther, s.b.get(authorizeURL()).status, "still signed in")
		r := s.b.submit(page)
		assert.Equal(t, back, r.header.Get("Location"))
		signedOut(t, s)
	})
	t.Run("a form of another site signs nobody out", func(t *testing.T) {
		s := open(t)
		s.b.do(formRequest("/end_session", "csrf", "x", "return", ""))
		assert.Equal(t, http.StatusSeeOther, s.b.get(authorizeURL()).status)
	})
	t.Run("an address that is not registered", func(t *testing.T) {
		s := open(t)
		for _, uri := range []string{"https://evil.example/", back + "x"} {
			r := s.b.get(target("id_token_hint", s.tokens.str("id_token"), "post_logout_redirect_uri", uri))
			assert.Equal(t, http.StatusBadRequest, r.status)
			assert.Empty(t, r.header.Get("Location"))
		}
		assert.Equal(t, http.StatusBadRequest, s.b.get(target("post_logout_redirect_uri", back)).status, "nobody says whose it is")
	})
	t.Run("an access token is no hint", func(t *testing.T) {
		s := open(t)
		assert.Equal(t, http.StatusOK, s.b.get(target("id_token_hint", s.tokens.str("access_token"))).status)
		assert.Equal(t, http.StatusSeeOther, s.b.get(authorizeURL()).status, "still signed in")
	})
	t.Run("two different clients", func(t *testing.T) {
		s := open(t)
		assert.Equal(t, http.StatusBadRequest, s.b.get(target("id_token_hint", s.tokens.str("id_token"), "client_id", "spa")).status)
	})
	t.Run("nobody is signed in", func(t *testing.T) {
		w := newWorld(t)
		assert.Equal(t, http.StatusOK, w.browser().get(issuer+"/end_session").status)
	})
}

// A sign-out whose ID token can't be verified now is not confirmed.
func TestSignOutWhenKeysAreUnavailable(t *testing.T) {
	store := &deadKeys{KeyStore: new(jwks.MemoryKeyStore)}
	w := newWorld(t)
	restart := func() {
		keys, err := jwks.NewRotator(jwks.RotatorConfig{Now: w.now, Store: store})
		require.NoError(t, err)
		w.cfg.Keys = keys
		w.srv, err = authserver.New(w.cfg)
		require.NoError(t, err)
	}
	restart()
	tokens := w.signIn()
	logout := issuer + "/end_session?" + url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode()
	store.dead = true
	restart()
	w.refused(w.mvc("/revoke", "token", tokens.str("access_token")), "temporarily_unavailable")
	assert.Equal(t, http.StatusServiceUnavailable, w.browser().get(logout).status)
	assert.Empty(t, w.row(tokens.str("refresh_token")).RevokeReason)
	store.dead = false
	assert.Equal(t, http.StatusOK, w.mvc("/revoke", "token", tokens.str("access_token")).status)
	assert.Equal(t, "client", w.row(tokens.str("refresh_token")).RevokeReason)
}

type deadKeys struct {
	jwks.KeyStore
	dead bool
}

func (d *deadKeys) LoadKeys(ctx context.Context) ([]byte, string, error) {
	if d.dead {
		return nil, "", errBroken
	}
	return d.KeyStore.LoadKeys(ctx)
}
