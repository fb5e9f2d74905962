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
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rawVerify returns the verification alone of a token's signature, which is already decoded.
func rawVerify(tb testing.TB, w *world, alg, token string) func() bool {
	tok, err := w.bearer(tb).Validator().Validate(context.Background(), token)
	require.NoError(tb, err)
	found, err := w.iss.IssuerConfig().Keys.Lookup(context.Background(), tok.KeyID(), alg)
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
