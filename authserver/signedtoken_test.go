package authserver_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

// FuzzSignedToken: what the strict reader accepts, encoding/json and golang-jwt's claims read alike.
func FuzzSignedToken(f *testing.F) {
	for _, payload := range []string{
		`{"iss":"robot","sub":"robot","aud":"https://login.example","jti":"1","exp":1764072000}`, `{"aud":["a","b"],"exp":1.5,"nbf":0,"iat":1e9}`,
		`{"iss":"a","iss":"b"}`, `{"iss":1}`, `{"sub":null}`, `{"aud":{}}`, `{"aud":[1]}`, `{"jti":"\u00e9\ud83d\ude00"}`, `{}`, `[]`, ``, `{"iss":"\ud800"}`,
	} {
		f.Add(`{"alg":"ES256","typ":"JWT","kid":"k"}`, payload, []byte("signature"))
		f.Add(`{"alg":"ES256","alg":"none"}`, payload, []byte{})
		f.Add(`{"alg":"ES256","crit":["b64"],"b64":false}`, payload, []byte{0})
	}
	f.Fuzz(func(t *testing.T, header, payload string, signature []byte) {
		encode := base64.RawURLEncoding.EncodeToString
		raw := encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode(signature)
		got, err := authserver.ReadSignedToken(raw)
		if err != nil {
			return
		}
		require.Equal(t, signature, got.Signature)
		claims := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(payload), &claims))
		parsed := jwt.MapClaims(claims)
		for name, text := range map[string]string{"iss": got.Issuer, "sub": got.Subject, "sid": got.SessionID, "jti": got.ID} {
			want, _ := parsed[name].(string)
			require.Equal(t, want, text, name)
		}
		audience, err := parsed.GetAudience()
		require.NoError(t, err)
		require.ElementsMatch(t, audience, got.Audience)
	})
}

func TestSignatureAlgorithmsAreSupported(t *testing.T) {
	for _, alg := range authserver.SignatureAlgorithms {
		require.True(t, jwks.Supported(alg), alg)
	}
}
