package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// introspect asks as the resource server api1.
func (w *world) introspect(token string) reply {
	return w.do(as(formRequest("/introspect", "token", token), "worker", "worker secret"))
}

func TestIntrospection(t *testing.T) {
	w := newWorld(t)
	r := w.signIn()
	access, refresh := r.str("access_token"), r.str("refresh_token")

	out := w.introspect(access)
	require.Equal(t, http.StatusOK, out.status, out.body)
	assert.Equal(t, true, out.json["active"], "the resource server of api1")
	assert.Equal(t, "alice-1", out.json["sub"])
	assert.Equal(t, mvcID, out.json["client_id"])
	assert.Equal(t, "Bearer", out.json["token_type"])
	assert.Equal(t, "no-store", out.header.Get("Cache-Control"))

	inactive := map[string]any{"active": false}
	own := w.mvc("/introspect", "token", refresh, "token_type_hint", "access_token")
	assert.Equal(t, true, own.json["active"], "its own refresh token; the hint is only a hint")
	assert.Equal(t, allScope, own.json["scope"])
	assert.Equal(t, inactive, w.introspect(refresh).json, "another client's refresh token")
	assert.Equal(t, inactive, w.introspect("garbage").json)
	assert.Equal(t, inactive, w.introspect(r.str("id_token")).json)
	identity := w.signIn("scope", "openid").str("access_token")
	assert.Equal(t, inactive, w.introspect(identity).json, "not a token for api1")

	w.advance(5*time.Minute + time.Second)
	assert.Equal(t, inactive, w.introspect(access).json, "expired")

	next := w.refresh(refresh)
	assert.Equal(t, true, w.introspect(next.str("access_token")).json["active"])
	w.advance(time.Minute)
	assert.Equal(t, inactive, w.mvc("/introspect", "token", refresh).json, "superseded, past the grace; and asking ends nothing")
	assert.Equal(t, true, w.mvc("/introspect", "token", next.str("refresh_token")).json["active"])
	require.Equal(t, http.StatusOK, w.mvc("/revoke", "token", next.str("refresh_token")).status)
	assert.Equal(t, inactive, w.introspect(next.str("access_token")).json, "revoked with its grant")
	assert.Equal(t, inactive, w.mvc("/introspect", "token", next.str("refresh_token")).json)
}

func TestIntrospectionNeedsAConfidentialClient(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("access_token")
	w.refused(w.form("/introspect", "token", token), "invalid_client")
	w.refused(w.form("/introspect", "token", token, "client_id", "spa"), "invalid_client")
	w.refused(w.do(as(formRequest("/introspect", "token", token), "worker", "x")), "invalid_client")
	w.refused(w.mvc("/introspect"), "invalid_request")
	assert.Equal(t, http.StatusMethodNotAllowed, w.do(httptest.NewRequest("GET", issuer+"/introspect?x="+token, nil)).status)
}
