package authserver_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// An answer is what encoding/json makes of the same members, byte for byte.
func FuzzTokensJSON(f *testing.F) {
	for _, seed := range []string{"", "a b", `"\`, "</script>&", "\x00\x1f\x7f", "\u2028\u2029é\ufffd", "\xff\xc0"} {
		f.Add(seed, seed, int64(300))
	}
	f.Fuzz(func(t *testing.T, access, scope string, seconds int64) {
		seconds %= int64(1e9)
		want, err := json.Marshal(struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int64  `json:"expires_in"`
			Scope       string `json:"scope,omitempty"`
			TokenType   string `json:"token_type"`
		}{access, seconds, scope, "Bearer"})
		require.NoError(t, err)
		tokens := authserver.Tokens{AccessToken: access, Scope: scope, TokenType: "Bearer", ExpiresIn: time.Duration(seconds) * time.Second}
		got, err := tokens.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}
