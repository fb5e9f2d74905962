package jwks_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

func TestSmoke(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		rot, err := jwks.NewRotator(jwks.RotatorConfig{Algorithm: alg, Store: jwks.FileKeyStore(filepath.Join(t.TempDir(), "a", "keys.json"))})
		require.NoError(t, err)
		mux := http.NewServeMux()
		srv := httptest.NewServer(mux)
		defer srv.Close()
		mux.Handle("/jwks", rot)
		mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"issuer":"` + srv.URL + `","jwks_uri":"` + srv.URL + `/jwks"}`))
		})
		rem, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: srv.URL})
		require.NoError(t, err)
		check := func() {
			raw, err := rot.Sign(context.Background(), "at+jwt", jwt.MapClaims{"sub": "x"})
			require.NoError(t, err)
			tok, err := jwt.Parse(raw, func(tok *jwt.Token) (any, error) {
				keys, err := rem.Lookup(context.Background(), tok.Header["kid"].(string), tok.Header["alg"].(string))
				if err != nil {
					return nil, err
				}
				return keys[0].Public(), nil
			})
			require.NoError(t, err)
			require.Equal(t, alg, tok.Header["alg"])
		}
		check()
		require.NoError(t, rem.Ready(context.Background()))
		for range 3 {
			require.NoError(t, rot.Rotate(context.Background()))
			check()
		}
		t.Logf("%+v", rem.Status())
		require.NoError(t, rem.Close())
	}
}
