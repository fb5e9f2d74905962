package middleware_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// newWorld is an issuer and a Config for it, for tests outside the matrix.
func newWorld(t testing.TB) *world {
	w := &world{iss: authtest.NewIssuer(t)}
	w.cfg = w.iss.Config("api1")
	return w
}

func (w *world) bearer(t testing.TB) *middleware.Bearer {
	auth, err := middleware.New(w.cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = auth.Close() })
	return auth
}

func newKey(t testing.TB) *jwks.Key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := jwks.NewKey("k", "", private.Public())
	require.NoError(t, err)
	return key
}

// serve asks a handler.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("ok")) })

// iss2 is another issuer, with the name that the matrix has for it.
func (w *world) iss2(t testing.TB) *authtest.Issuer {
	return authtest.NewIssuer(t, authtest.IssuedBy("https://other.test"))
}
