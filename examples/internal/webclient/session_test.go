package webclient

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// What a session keeps, under the names and in the form that the ASP.NET client has them.
func TestSavedTokens(t *testing.T) {
	expiry := time.Date(2021, time.June, 16, 7, 16, 1, 234567800, time.FixedZone("CEST", 7200))
	token := (&oauth2.Token{AccessToken: "at", RefreshToken: "rt", Expiry: expiry}).WithExtra(map[string]any{"id_token": "id"})
	text, err := json.Marshal(saved(token, Saved{}))
	require.NoError(t, err)
	assert.JSONEq(t, `{"id_token":"id","access_token":"at","refresh_token":"rt","expires_at":"2021-06-16T05:16:01.2345678Z"}`, string(text))

	renewed := saved(&oauth2.Token{AccessToken: "at2", RefreshToken: "rt2", Expiry: expiry}, saved(token, Saved{}))
	assert.Equal(t, "id", renewed.IDToken, "an answer without an ID token does not lose the one that is there")
	assert.Equal(t, "rt2", renewed.RefreshToken)
}
