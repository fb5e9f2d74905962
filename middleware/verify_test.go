package middleware_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
)

// signers are a key for each algorithm.
func signers(t testing.TB) map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys := map[string]crypto.Signer{"EdDSA": edKey}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		keys[alg] = rsaKey
	}
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		keys[alg], err = ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
	}
	return keys
}

// golangJWT is golang-jwt's verdict. It takes any salt of PSS, which is told to it here as it is to ours.
func golangJWT(alg, input string, sig []byte, key any) bool {
	method := jwt.GetSigningMethod(alg)
	if pss, ok := method.(*jwt.SigningMethodRSAPSS); ok {
		method = &jwt.SigningMethodRSAPSS{SigningMethodRSA: pss.SigningMethodRSA, Options: pss.Options}
	}
	return method.Verify(input, sig, key) == nil
}

// TestVerify: for every algorithm a good signature is good, and nothing near it is, for us as for golang-jwt.
func TestVerify(t *testing.T) {
	for alg, private := range signers(t) {
		t.Run(alg, func(t *testing.T) {
			const input = "eyJ.eyJ"
			good, err := jwt.GetSigningMethod(alg).Sign(input, private)
			require.NoError(t, err)
			public := private.Public()
			assert.True(t, middleware.VerifySignature(alg, input, good, public))
			assert.False(t, middleware.VerifySignature(alg, input+"x", good, public))
			n := len(good)
			for name, sig := range map[string][]byte{
				"nothing": nil, "cut short": good[:n-1], "a byte more": append(good[:n:n], 0), "a zero in front": append([]byte{0}, good...),
				"zeros": make([]byte, n), "ones": []byte(strings.Repeat("\xff", n)), "twice": append(good[:n:n], good...),
				"r is zero": append(make([]byte, n/2), good[n/2:]...), "s is zero": append(good[:n/2:n/2], make([]byte, n-n/2)...),
				"halves exchanged": append(good[n/2:n:n], good[:n/2]...),
			} {
				assert.False(t, middleware.VerifySignature(alg, input, sig, public), name)
				assert.False(t, golangJWT(alg, input, sig, public), name)
			}
		})
	}
}

// Integers whose first byte is zero, or has its highest bit, are written in DER as they must be.
func TestSignaturesWithShortIntegers(t *testing.T) {
	for alg, bits := range map[string]int{"ES256": 256, "ES384": 384, "ES512": 528} {
		private := signers(t)[alg]
		seen := map[string]bool{}
		for i := 0; len(seen) < 3 && i < 3000; i++ {
			input := strings.Repeat("a", i)
			sig, err := jwt.GetSigningMethod(alg).Sign(input, private)
			require.NoError(t, err)
			switch r := new(big.Int).SetBytes(sig[:len(sig)/2]); {
			case r.BitLen() == bits:
				seen["high"] = true
			case r.BitLen() <= bits-8:
				seen["short"] = true
			default:
				seen["middle"] = true
			}
			require.True(t, middleware.VerifySignature(alg, input, sig, private.Public()), "%s: %x", alg, sig)
			if alg != "ES256" && i > 20 {
				break
			}
		}
	}
}

// FuzzVerify: our verdict on a signature is golang-jwt's, whatever the signature.
func FuzzVerify(f *testing.F) {
	keys := signers(f)
	for alg, private := range keys {
		const input = "eyJ.eyJ"
		sig, err := jwt.GetSigningMethod(alg).Sign(input, private)
		require.NoError(f, err)
		for _, flip := range []byte{0, 1, 0x80} {
			f.Add(alg, input, flip, uint16(0), sig, true)
			f.Add(alg, input, flip, uint16(len(sig)/2), sig, false)
		}
		f.Add(alg, input, byte(0), uint16(0), sig[:len(sig)-1], false)
	}
	f.Fuzz(func(t *testing.T, alg, input string, flip byte, at uint16, sig []byte, own bool) {
		private := keys[alg]
		if private == nil {
			return
		}
		if own { // the fuzzer can't sign: a signature of ours, changed
			var err error
			sig, err = jwt.GetSigningMethod(alg).Sign(input, private)
			require.NoError(t, err)
		}
		if len(sig) > 0 {
			sig = append([]byte(nil), sig...)
			sig[int(at)%len(sig)] ^= flip
		}
		ours, theirs := middleware.VerifySignature(alg, input, sig, private.Public()), golangJWT(alg, input, sig, private.Public())
		if ours != theirs {
			t.Fatalf("%s: %v, golang-jwt %v: %x", alg, ours, theirs, sig)
		}
	})
}
