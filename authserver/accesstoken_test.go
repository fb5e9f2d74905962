package authserver_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// api returns what an API in the same process answers to an access token of the world.
func (w *world) api(t *testing.T) func(token string) int {
	cfg := middleware.NewConfig(issuer, "api1")
	cfg.Issuer.Keys, cfg.Now, cfg.Check = w.cfg.Keys, w.now, w.srv.CheckAccessToken
	b, err := middleware.New(cfg)
	require.NoError(t, err)
	h := b.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return func(token string) int {
		r := httptest.NewRequest("GET", "https://api.example/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code
	}
}

// where reports which places accept an access token: introspection, userinfo, an API with CheckAccessToken.
func (w *world) where(t *testing.T, token string) [3]bool {
	r := httptest.NewRequest("GET", issuer+"/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return [3]bool{w.mvc("/introspect", "token", token).json["active"] == true, w.do(r).status == 200, w.api(t)(token) == 200}
}

var everywhere, nowhere = [3]bool{true, true, true}, [3]bool{}

func TestRevokePreviousAccessToken(t *testing.T) {
	const grace = 10 * time.Second
	on := func(w *world) { w.cfg.RevokePreviousAccessToken = true }
	t.Run("off: earlier access tokens stay valid", func(t *testing.T) {
		w := newWorld(t)
		first := w.signIn()
		w.refresh(first.str("refresh_token"))
		w.advance(time.Minute)
		assert.Equal(t, everywhere, w.where(t, first.str("access_token")))
	})
	t.Run("on: they end with the grace, generation by generation", func(t *testing.T) {
		w := newWorld(t, on)
		first := w.signIn()
		w.advance(time.Minute)
		second := w.refresh(first.str("refresh_token"))
		w.advance(grace / 2)
		third := w.refresh(second.str("refresh_token"))
		for _, r := range []reply{first, second, third} {
			assert.Equal(t, everywhere, w.where(t, r.str("access_token")), "requests on their way are not refused")
		}
		w.advance(grace / 2)
		assert.Equal(t, everywhere, w.where(t, first.str("access_token")), "the last moment")
		w.advance(time.Millisecond)
		assert.Equal(t, nowhere, w.where(t, first.str("access_token")))
		assert.Equal(t, everywhere, w.where(t, second.str("access_token")))
		w.advance(grace / 2)
		assert.Equal(t, nowhere, w.where(t, second.str("access_token")))
		assert.Equal(t, everywhere, w.where(t, third.str("access_token")))
	})
	t.Run("a replay in the grace gives an access token that stays", func(t *testing.T) {
		w := newWorld(t, on)
		first := w.signIn()
		w.refresh(first.str("refresh_token"))
		replayed := w.refresh(first.str("refresh_token"))
		w.advance(time.Minute)
		assert.Equal(t, everywhere, w.where(t, replayed.str("access_token")))
	})
	t.Run("without a grace they end at once", func(t *testing.T) {
		w := newWorld(t, on, func(w *world) { w.cfg.RefreshGrace = 0 })
		first := w.signIn()
		second := w.refresh(first.str("refresh_token"))
		assert.Equal(t, nowhere, w.where(t, first.str("access_token")))
		assert.Equal(t, everywhere, w.where(t, second.str("access_token")))
	})
	t.Run("where the refresh token is not replaced, the access tokens are not", func(t *testing.T) {
		w := newWorld(t, on, func(w *world) { w.cfg.Rotation = authserver.RotateNearExpiry })
		first := w.signIn()
		w.refresh(first.str("refresh_token"))
		w.advance(time.Minute)
		assert.Equal(t, everywhere, w.where(t, first.str("access_token")))
	})
	t.Run("a race that is lost does not leave an access token of an earlier generation", func(t *testing.T) {
		w := newWorld(t, on)
		first := w.signIn()
		other := true
		w.store.set(func(authserver.Step) error { // between the signing and the step, another process refreshes twice
			if other {
				other = false
				w.refresh(w.refresh(first.str("refresh_token")).str("refresh_token"))
			}
			return nil
		}, nil)
		late := w.refresh(first.str("refresh_token"))
		require.Equal(t, http.StatusOK, late.status, late.body)
		w.advance(time.Minute)
		assert.Equal(t, everywhere, w.where(t, late.str("access_token")))
	})
	t.Run("other grants are not affected", func(t *testing.T) {
		w := newWorld(t, on)
		first, other := w.signIn(), w.signIn()
		w.refresh(first.str("refresh_token"))
		w.advance(time.Minute)
		assert.Equal(t, everywhere, w.where(t, other.str("access_token")))
	})
}

func TestCheckAccessToken(t *testing.T) {
	w := newWorld(t)
	call := w.api(t)
	first, other := w.signIn(), w.signIn()
	own := w.do(as(formRequest("/token", "grant_type", "client_credentials"), "worker", "worker secret")).str("access_token")
	assert.Equal(t, 200, call(first.str("access_token")))
	w.mvc("/revoke", "token", first.str("refresh_token"))
	assert.Equal(t, nowhere, w.where(t, first.str("access_token")), "a revoked grant, whatever the configuration")
	assert.Equal(t, everywhere, w.where(t, other.str("access_token")))
	assert.Equal(t, 200, call(own), "a token without a grant")

	w.store.Store = brokenStore{w.store.Store}
	assert.Equal(t, 503, call(other.str("access_token")), "the token may be good")
	assert.Equal(t, 200, call(own))
	w.store.Store = authserver.NewMemoryStore()
	assert.Equal(t, 401, call(other.str("access_token")), "the row is gone")

	_, c := claims(t, other.str("access_token"))
	id, _ := c["jti"].(string)
	by := func(name string) *middleware.Token {
		return authtest.NewIssuer(t, authtest.IssuedBy(name)).Accepted(authtest.Claim("jti", id))
	}
	assert.NoError(t, w.srv.CheckAccessToken(t.Context(), by("https://other.example")), "another issuer's")
	assert.ErrorIs(t, w.srv.CheckAccessToken(t.Context(), by(issuer)), middleware.ErrInvalidToken)
}

func TestCheckAccessTokenOfARemovedClient(t *testing.T) {
	known := map[string]error{}
	w := newWorld(t, func(w *world) {
		w.cfg.RevokePreviousAccessToken = true
		guest := *w.client("spa")
		guest.ID = "guest"
		w.cfg.LookupClient = func(_ context.Context, id string) (*authserver.Client, error) {
			if err := known[id]; err != nil || id != "guest" {
				return nil, errors.Join(err, authserver.ErrNotFound)
			}
			return &guest, nil
		}
	})
	first, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "guest", Subject: "alice-1"})
	require.NoError(t, err)
	require.Equal(t, 200, w.form("/token", "grant_type", "refresh_token", "client_id", "guest", "refresh_token", first.RefreshToken).status)
	call := w.api(t)
	assert.Equal(t, 200, call(first.AccessToken), "in the grace")
	known["guest"] = authserver.ErrNotFound
	assert.Equal(t, 401, call(first.AccessToken), "there is no grace to be found")
}

func TestMaxReplays(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.MaxReplays = 2 })
	first := w.refreshToken()
	second := w.refresh(first).str("refresh_token")
	for range 2 {
		assert.Equal(t, second, w.refresh(first).str("refresh_token"))
	}
	w.kinds()
	for range 2 {
		w.refused(w.refresh(first), "invalid_grant")
	}
	assert.Equal(t, []string{"refresh.capped", "refresh.capped"}, w.kinds())
	assert.True(t, w.row(second).RevokedAt.IsZero(), "nothing is revoked")
	third := w.refresh(second).str("refresh_token")
	assert.NotEmpty(t, third, "and the successor is as good as before")
	assert.Equal(t, third, w.refresh(second).str("refresh_token"), "each generation is counted anew")
	w.advance(time.Minute)
	w.refused(w.refresh(first), "invalid_grant")
	assert.False(t, w.row(third).RevokedAt.IsZero(), "after the grace it is reuse as ever")
}
