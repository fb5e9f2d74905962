package jws_test

import (
	"testing"

	"github.com/bearergate/bearergate/internal/jws"
	"github.com/bearergate/bearergate/internal/strictjson"
)

const typicalPayload = `{"iss":"https://issuer.test","sub":"alice","aud":["api1","https://issuer.test/userinfo"],"exp":1764072000,` +
	`"nbf":1764068400,"iat":1764068400,"jti":"0b8f0b5e-6d3f-4c8a-9a52-0c6f6f0f3a51","client_id":"spa","scope":"openid profile orders:read",` +
	`"email":"alice@example.test","name":"Alice Smith","roles":["reader","writer"],"tenant":"acme","sid":"f2S5xQ"}`

// BenchmarkParse is what a new token costs before its signature: the compact form, and one pass over the claims.
func BenchmarkParse(b *testing.B) {
	raw := encode(`{"alg":"ES256","typ":"at+jwt","kid":"ES256-1"}`) + "." + encode(typicalPayload) + "." + encode(string(make([]byte, 64)))
	b.Run("form", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jws.Parse(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("claims", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := strictjson.Object(typicalPayload, func(string, strictjson.Value) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
