package jwks_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// signers are a private key for each algorithm that golang-jwt knows.
func signers(t testing.TB) map[string]crypto.Signer {
	t.Helper()
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

// publicKey is the Key of a signer, for any algorithm that fits.
func publicKey(t testing.TB, signer crypto.Signer) *jwks.Key {
	t.Helper()
	k, err := jwks.NewKey("kid", "", signer.Public())
	require.NoError(t, err)
	return k
}

// golangJWT is golang-jwt's verdict. It takes any salt of PSS, so it is told to take the one that we take.
func golangJWT(alg, input string, signature []byte, key any) bool {
	method := jwt.GetSigningMethod(alg)
	if pss, ok := method.(*jwt.SigningMethodRSAPSS); ok {
		method = &jwt.SigningMethodRSAPSS{SigningMethodRSA: pss.SigningMethodRSA, Options: pss.Options}
	}
	return method.Verify(input, signature, key) == nil
}

func TestSupported(t *testing.T) {
	for _, alg := range allAlgorithms {
		assert.True(t, jwks.Supported(alg), alg)
	}
	for _, alg := range []string{"", "none", "None", "HS256", "HS384", "HS512", "rs256", "RS256 ", "ES256K", "Ed448", "ML-DSA-44", "RSA-OAEP", "RS1"} {
		assert.False(t, jwks.Supported(alg), alg)
	}
}

// TestFits: of all algorithms, those that a key fits are the ones of its type and curve.
func TestFits(t *testing.T) {
	families := [][]string{{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, {"ES256"}, {"ES384"}, {"ES512"}, {"EdDSA", "Ed25519"}}
	for alg, signer := range signers(t) {
		any := publicKey(t, signer)
		only, err := jwks.NewKey("kid", alg, signer.Public())
		require.NoError(t, err)
		for _, family := range families {
			for _, other := range family {
				assert.Equal(t, strings.Contains(strings.Join(family, " "), alg), any.Fits(other), "a key for %s, %s", alg, other)
				assert.Equal(t, alg == other || alg == "EdDSA" && other == "Ed25519", only.Fits(other), "a key only for %s, %s", alg, other)
			}
		}
		for _, other := range []string{"", "none", "HS256", "rs256"} {
			assert.False(t, any.Fits(other))
		}
	}
	assert.False(t, new(jwks.Key).Fits(""))
	assert.False(t, new(jwks.Key).Fits("RS256"))
}

// TestVerify: for every algorithm a good signature is good, and nothing near it is, for us as for golang-jwt.
func TestVerify(t *testing.T) {
	for alg, private := range signers(t) {
		t.Run(alg, func(t *testing.T) {
			const input = "eyJ.eyJ"
			good, err := jwt.GetSigningMethod(alg).Sign(input, private)
			require.NoError(t, err)
			k := publicKey(t, private)
			assert.NoError(t, k.Verify(alg, []byte(input), good))
			assert.ErrorIs(t, k.Verify(alg, []byte(input+"x"), good), jwt.ErrTokenSignatureInvalid)
			n := len(good)
			for name, signature := range map[string][]byte{
				"nothing": nil, "cut short": good[:n-1], "a byte more": append(good[:n:n], 0), "a zero in front": append([]byte{0}, good...),
				"zeros": make([]byte, n), "ones": []byte(strings.Repeat("\xff", n)), "twice": append(good[:n:n], good...),
				"r is zero": append(make([]byte, n/2), good[n/2:]...), "s is zero": append(good[:n/2:n/2], make([]byte, n-n/2)...),
				"halves exchanged": append(good[n/2:n:n], good[:n/2]...),
			} {
				assert.ErrorIs(t, k.Verify(alg, []byte(input), signature), jwt.ErrTokenSignatureInvalid, name)
				assert.False(t, golangJWT(alg, input, signature, private.Public()), name)
			}
		})
	}
}

// TestVerifyRefusesKeysThatDoNotFit: the signature is not even looked at.
func TestVerifyRefusesKeysThatDoNotFit(t *testing.T) {
	const input = "eyJ.eyJ"
	for alg, private := range signers(t) {
		good, err := jwt.GetSigningMethod(alg).Sign(input, private)
		require.NoError(t, err)
		k := publicKey(t, private)
		for _, other := range append(allAlgorithms, "", "none", "HS256", strings.Repeat("x", 10_000)) {
			err := k.Verify(other, []byte(input), good)
			if k.Fits(other) {
				assert.NotErrorIs(t, err, jwt.ErrInvalidKey, "%s for %s", other, alg)
				continue
			}
			assert.ErrorIs(t, err, jwt.ErrInvalidKey, "%s for %s", other, alg)
			assert.Less(t, len(err.Error()), 200)
		}
	}
	assert.ErrorIs(t, new(jwks.Key).Verify("RS256", nil, nil), jwt.ErrInvalidKey)
}

// TestVerifyEd25519: EdDSA and Ed25519 are one algorithm, whichever of them the key and the token name.
func TestVerifyEd25519(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signature := ed25519.Sign(private, []byte("eyJ.eyJ"))
	for _, keyAlg := range []string{"", "EdDSA", "Ed25519"} {
		k, err := jwks.NewKey("kid", keyAlg, public)
		require.NoError(t, err)
		for _, alg := range []string{"EdDSA", "Ed25519"} {
			assert.NoError(t, k.Verify(alg, []byte("eyJ.eyJ"), signature), "key %q, token %q", keyAlg, alg)
		}
	}
}

// TestVerifySalt: RFC 7518, Section 3.5 wants a salt as long as the hash. golang-jwt takes any.
func TestVerifySalt(t *testing.T) {
	const input = "eyJ.eyJ"
	private := signers(t)["PS256"]
	hash := sha256.Sum256([]byte(input))
	for _, salt := range []int{0, 20, 32, 48, rsa.PSSSaltLengthAuto} {
		signature, err := rsa.SignPSS(rand.Reader, private.(*rsa.PrivateKey), crypto.SHA256, hash[:], &rsa.PSSOptions{SaltLength: salt})
		require.NoError(t, err)
		assert.NoError(t, jwt.SigningMethodPS256.Verify(input, signature, private.Public()), "golang-jwt, salt %d", salt)
		err = publicKey(t, private).Verify("PS256", []byte(input), signature)
		if salt == 32 {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid, "salt %d", salt)
		}
	}
}

// Integers whose first byte is zero, or has its highest bit, are written in DER as they must be.
func TestSignaturesWithShortIntegers(t *testing.T) {
	for alg, bits := range map[string]int{"ES256": 256, "ES384": 384, "ES512": 528} {
		private := signers(t)[alg]
		k := publicKey(t, private)
		seen := map[string]bool{}
		for i := 0; len(seen) < 3 && i < 3000; i++ {
			input := strings.Repeat("a", i)
			signature, err := jwt.GetSigningMethod(alg).Sign(input, private)
			require.NoError(t, err)
			switch r := new(big.Int).SetBytes(signature[:len(signature)/2]); {
			case r.BitLen() == bits:
				seen["high"] = true
			case r.BitLen() <= bits-8:
				seen["short"] = true
			default:
				seen["middle"] = true
			}
			require.NoError(t, k.Verify(alg, []byte(input), signature), "%s: %x", alg, signature)
			if alg != "ES256" && i > 20 {
				break
			}
		}
	}
}

// FuzzVerify: our verdict on a signature is golang-jwt's, whatever the signature.
func FuzzVerify(f *testing.F) {
	private := signers(f)
	keys := map[string]*jwks.Key{}
	for alg, signer := range private {
		keys[alg] = publicKey(f, signer)
		const input = "eyJ.eyJ"
		signature, err := jwt.GetSigningMethod(alg).Sign(input, signer)
		require.NoError(f, err)
		for _, flip := range []byte{0, 1, 0x80} {
			f.Add(alg, input, flip, uint16(0), signature, true)
			f.Add(alg, input, flip, uint16(len(signature)/2), signature, false)
		}
		f.Add(alg, input, byte(0), uint16(0), signature[:len(signature)-1], false)
	}
	f.Fuzz(func(t *testing.T, alg, input string, flip byte, at uint16, signature []byte, own bool) {
		k := keys[alg]
		if k == nil {
			return
		}
		if own { // the fuzzer can't sign: a signature of ours, changed
			var err error
			signature, err = jwt.GetSigningMethod(alg).Sign(input, private[alg])
			require.NoError(t, err)
		}
		if len(signature) > 0 {
			signature = append([]byte(nil), signature...)
			signature[int(at)%len(signature)] ^= flip
		}
		err := k.Verify(alg, []byte(input), signature)
		if err != nil {
			require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
		}
		if theirs := golangJWT(alg, input, signature, k.Public()); theirs != (err == nil) {
			t.Fatalf("%s: %v, golang-jwt %v: %x", alg, err, theirs, signature)
		}
	})
}

// BenchmarkVerify verifies one signature.
func BenchmarkVerify(b *testing.B) {
	input := []byte(strings.Repeat("a", 700))
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		private := signers(b)[alg]
		k := publicKey(b, private)
		signature, err := jwt.GetSigningMethod(alg).Sign(string(input), private)
		require.NoError(b, err)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if k.Verify(alg, input, signature) != nil {
					b.Fatal("not verified")
				}
			}
		})
	}
}
