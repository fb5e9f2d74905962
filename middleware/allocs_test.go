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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// rawVerify returns the verification alone of a token's signature, which is already decoded.
func rawVerify(tb testing.TB, w *world, alg, token string) func() bool {
	tok, err := w.bearer(tb).Validator().Validate(context.Background(), token)
	require.NoError(tb, err)
	found, err := w.iss.Terms().Keys.Lookup(context.Background(), tok.KeyID(), alg)
	require.NoError(tb, err)
	n := strings.LastIndexByte(token, '.')
	input := []byte(token[:n])
	sig, err := base64.RawURLEncoding.DecodeString(token[n+1:])
	require.NoError(tb, err)
	switch key := found[0].Public().(type) {
	case *rsa.PublicKey:
		return func() bool {
			hash := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], sig) == nil
		}
	case *ecdsa.PublicKey:
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
		require.NoError(tb, err)
		return func() bool {
			hash := sha256.Sum256(input)
			return ecdsa.VerifyASN1(key, hash[:], der)
		}
	case ed25519.PublicKey:
		return func() bool { return ed25519.Verify(key, input, sig) }
	}
	tb.Fatalf("no such key")
	return nil
}

// TestAllocations: what each outcome leaves to the garbage collector. The handler and the ResponseWriter cost nothing here.
func TestAllocations(t *testing.T) {
	if raceDetector {
		return // which allocates by itself
	}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			w := newWorld(t)
			good := w.iss.Token(rich(alg)...)
			n := strings.LastIndexByte(good, '.')
			remembers := w.bearer(t)
			w.cfg.Check = func(context.Context, *middleware.Token) error { return nil }
			asks := w.bearer(t)
			w.cfg.Check = nil
			w.cfg.CacheEntries = 0
			fresh := w.bearer(t)
			verify := rawVerify(t, w, alg, good)
			crypto := testing.AllocsPerRun(50, func() { verify() })

			var subject string
			byContext := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				tok, _ := middleware.FromContext(r.Context())
				subject = tok.Subject()
			})
			byArgument := func(_ http.ResponseWriter, _ *http.Request, tok *middleware.Token) { subject = tok.Subject() }
			for _, row := range []struct {
				name    string
				h       http.Handler
				token   string
				most    float64
				subject string
			}{
				{"a new token", fresh.Handler(byContext), good, crypto + 5, "alice"},
				{"a remembered token", remembers.Handler(byContext), good, 1, "alice"},
				{"a remembered token, scopes required", remembers.Require("orders:read")(byContext), good, 1, "alice"},
				{"a remembered token, given to a function", remembers.HandlerFunc(byArgument), good, 0, "alice"},
				{"a remembered token that Check passes", asks.HandlerFunc(byArgument), good, 0, "alice"},
				{"no token", fresh.Handler(byContext), "", 0, ""},
				{"8 KiB of garbage", fresh.Handler(byContext), strings.Repeat("A", 8<<10), 0, ""},
				{"8 KiB of garbage with dots", fresh.Handler(byContext), strings.Repeat("A.", 4<<10), 0, ""},
				{"a header that says nothing", fresh.Handler(byContext), "e30" + good[strings.IndexByte(good, '.'):], 2, ""},
				{"expired", fresh.Handler(byContext), w.iss.Token(append(rich(alg), authtest.Expired)...), 2, ""},
				{"another audience", fresh.Handler(byContext), w.iss.Token(append(rich(alg), authtest.Audience("x"))...), 2, ""},
				{"another issuer", fresh.Handler(byContext), w.iss.Token(append(rich(alg), authtest.IssuedBy("https://x.test"))...), 2, ""},
				{"a bad signature", fresh.Handler(byContext), good[:n+1] + flip(good[n+1:]), crypto + 6, ""},
			} {
				t.Run(row.name, func(t *testing.T) {
					r := httptest.NewRequest("GET", "/", nil)
					if row.token != "" {
						r.Header.Set("Authorization", "Bearer "+row.token)
					}
					rec := &discard{h: http.Header{}}
					subject = ""
					assert.LessOrEqual(t, testing.AllocsPerRun(50, func() { row.h.ServeHTTP(rec, r) }), row.most)
					assert.Equal(t, row.subject, subject)
				})
			}
		})
	}
}
