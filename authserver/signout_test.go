package authserver_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

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
