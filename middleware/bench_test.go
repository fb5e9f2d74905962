package middleware_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// rich is a token like those in use: RFC 9068 and some claims of one's own.
func rich(alg string) []authtest.Mod {
	return []authtest.Mod{authtest.Algorithm(alg), authtest.Audience("api1", "api2"), authtest.Scope("openid", "profile", "orders:read", "orders:write"),
		authtest.Claim("roles", []string{"admin", "user", "auditor"}), authtest.Claim("auth_time", 1700000000), authtest.Claim("acr", "urn:example:gold")}
}

// BenchmarkHandler: a new good token every time costs one verification and little more; what does not deserve one costs
// next to nothing. The row raw is the verification alone, of a signature that is already decoded.
func BenchmarkHandler(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(alg, func(b *testing.B) {
			w := newWorld(b)
			w.cfg.CacheEntries = 0
			auth, err := middleware.New(w.cfg)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = auth.Close() })
			good := w.iss.Token(rich(alg)...)
			if _, err := auth.Validator().Validate(context.Background(), good); err != nil {
				b.Fatal(err)
			}
			b.Run("raw", func(b *testing.B) { raw(b, w, alg, good) })
			h := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			n := strings.LastIndexByte(good, '.')
			for _, row := range []struct{ name, header string }{
				{"good", "Bearer " + good},
				{"no token", ""},
				{"8 KiB of garbage", "Bearer " + strings.Repeat("A", 8<<10)},
				{"expired", "Bearer " + w.iss.Token(append(rich(alg), authtest.Expired)...)},
				{"wrong audience", "Bearer " + w.iss.Token(append(rich(alg), authtest.Audience("x"))...)},
				{"unknown kid", "Bearer " + w.iss.Token(append(rich(alg), authtest.Header("kid", "x"))...)},
				{"bad signature", "Bearer " + good[:n+1] + "A" + flip(good[n+2:])},
			} {
				b.Run(row.name, func(b *testing.B) {
					r := httptest.NewRequest("GET", "/", nil)
					if row.header != "" {
						r.Header.Set("Authorization", row.header)
					}
					b.ReportAllocs()
					for b.Loop() {
						h.ServeHTTP(&discard{h: http.Header{}}, r)
					}
				})
			}
		})
	}
}

// flip changes a character in the middle, so that the bytes differ and the text stays base64url.
func flip(s string) string {
	c := byte('A')
	if s[len(s)/2] == c {
		c = 'B'
	}
	return s[:len(s)/2] + string(c) + s[len(s)/2+1:]
}

func raw(b *testing.B, w *world, alg, token string) {
	kid := ""
	if tok, err := w.bearer(b).Validator().Validate(context.Background(), token); err == nil {
		kid = tok.KeyID
	}
	found, err := w.iss.Terms().Keys.Lookup(context.Background(), kid, alg)
	if err != nil {
		b.Fatal(err)
	}
	n := strings.LastIndexByte(token, '.')
	input := []byte(token[:n])
	sig, err := base64.RawURLEncoding.DecodeString(token[n+1:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	switch key := found[0].Public().(type) {
	case *rsa.PublicKey:
		for b.Loop() {
			hash := sha256.Sum256(input)
			if rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], sig) != nil {
				b.Fatal("bad")
			}
		}
	case *ecdsa.PublicKey:
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			hash := sha256.Sum256(input)
			if !ecdsa.VerifyASN1(key, hash[:], der) {
				b.Fatal("bad")
			}
		}
	case ed25519.PublicKey:
		for b.Loop() {
			if !ed25519.Verify(key, input, sig) {
				b.Fatal("bad")
			}
		}
	}
}
