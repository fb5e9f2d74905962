package authtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// Validate and the middleware reject every bad token, for its own reason, with signing keys of every family.
func TestBadTokens(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256", "EdDSA", "ES384"} {
		t.Run(alg, func(t *testing.T) {
			iss := authtest.NewIssuer(t, authtest.Algorithm(alg))
			iss.PublishWeakKeys()
			auth, err := middleware.New(iss.Config())
			require.NoError(t, err)
			t.Cleanup(func() { _ = auth.Close() })
			reached := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was reached") }))

			bad := iss.BadTokens()
			assert.GreaterOrEqual(t, len(bad), 90)
			names := map[string]bool{}
			for _, b := range bad {
				t.Run(b.Name, func(t *testing.T) {
					assert.False(t, names[b.Name], "unique name")
					names[b.Name] = true
					tok, err := auth.Validator().Validate(t.Context(), b.Token)
					assert.Nil(t, tok)
					assert.ErrorIs(t, err, b.Err)
					assert.Equal(t, b.Reason, middleware.Reason(err), "%v", err)

					r := httptest.NewRequest("GET", "/", nil)
					r.Header.Set("Authorization", "Bearer "+b.Token)
					rec := httptest.NewRecorder()
					reached.ServeHTTP(rec, r)
					assert.Contains(t, []int{400, 401}, rec.Code)
				})
			}
			_, err = auth.Validator().Validate(t.Context(), iss.Token())
			assert.NoError(t, err, "the valid token is still accepted")
		})
	}
}

// Two calls return the same attacks in the same order. They publish no key twice and no weak key.
func TestBadTokensOrder(t *testing.T) {
	iss := authtest.NewIssuer(t)
	first := iss.BadTokens()
	before := keyIDs(t, iss)
	second := iss.BadTokens()
	require.Len(t, second, len(first))
	for i, bad := range first {
		assert.Equal(t, bad.Name, second[i].Name)
		assert.Equal(t, bad.Reason, second[i].Reason)
	}
	assert.Equal(t, before, keyIDs(t, iss))
	assert.NotContains(t, before, "weak")
	iss.PublishWeakKeys()
	assert.Equal(t, append(before, "weak", "p384"), keyIDs(t, iss))
}

// keyIDs returns the kids of the published keys.
func keyIDs(t *testing.T, iss *authtest.Issuer) (ids []string) {
	resp, err := iss.Client().Get(iss.Name() + "/jwks.json")
	require.NoError(t, err)
	defer resp.Body.Close()
	var doc struct{ Keys []struct{ Kid string } }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&doc))
	for _, k := range doc.Keys {
		ids = append(ids, k.Kid)
	}
	return ids
}
