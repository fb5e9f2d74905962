package jwks_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// now is a moment at which the first key of stored signs.
func now() time.Time { return time.Date(2026, 11, 22, 10, 0, 5, 0, time.UTC) }

// TestSignAsGolangJWT: Sign returns, byte for byte, what golang-jwt returns for the same key, header and claims, and
// golang-jwt accepts it, for every algorithm that a stored key can have.
func TestSignAsGolangJWT(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ec := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		require.NoError(t, err)
		return key
	}
	claims := jwt.MapClaims{"sub": `<al"ice>&\ ` + "\u2028é\x01", "aud": []string{"a", "b"}, "exp": time.Now().Add(time.Hour).Unix(), "n": 1.5,
		"deep": map[string]any{"x": nil}}
	for _, row := range []struct {
		alg string
		key crypto.Signer
	}{
		{"RS256", rsaKey}, {"RS384", rsaKey}, {"RS512", rsaKey}, {"PS256", rsaKey}, {"PS384", rsaKey}, {"PS512", rsaKey},
		{"ES256", ec(elliptic.P256())}, {"ES384", ec(elliptic.P384())}, {"ES512", ec(elliptic.P521())}, {"EdDSA", edKey},
	} {
		for _, typ := range []string{"at+jwt", "JWT", "", `logout"+jwt`} {
			t.Run(row.alg+" "+typ, func(t *testing.T) {
				store := new(jwks.MemoryKeyStore)
				require.NoError(t, store.SaveKeys(context.Background(), []byte(stored(t, row.alg, row.key, 0, 9)), ""))
				token, err := newRotator(t, jwks.RotatorConfig{Store: store, Now: now}).Sign(context.Background(), typ, claims)
				require.NoError(t, err)

				method := jwt.GetSigningMethod(row.alg)
				theirs := jwt.NewWithClaims(method, claims)
				theirs.Header["kid"] = kidOf(t, token)
				if typ != "" {
					theirs.Header["typ"] = typ
				}
				text, err := theirs.SigningString()
				require.NoError(t, err)
				dot := strings.LastIndexByte(token, '.')
				require.Equal(t, text, token[:dot])
				if strings.HasPrefix(row.alg, "RS") || row.alg == "EdDSA" { // the others are different every time
					whole, err := theirs.SignedString(row.key)
					require.NoError(t, err)
					require.Equal(t, whole, token)
				}
				_, err = jwt.NewParser(jwt.WithValidMethods([]string{row.alg}), jwt.WithStrictDecoding()).Parse(token,
					func(*jwt.Token) (any, error) { return row.key.Public(), nil })
				require.NoError(t, err)
			})
		}
	}
}

// TestSignEd25519: a stored key with the name of RFC 9864 signs under it, and the signature is that of EdDSA.
func TestSignEd25519(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	store := new(jwks.MemoryKeyStore)
	require.NoError(t, store.SaveKeys(context.Background(), []byte(stored(t, "Ed25519", edKey, 0, 9)), ""))
	r := newRotator(t, jwks.RotatorConfig{Store: store, Now: now})
	token, err := r.Sign(context.Background(), "", jwt.MapClaims{"sub": "alice"})
	require.NoError(t, err)
	segments := strings.Split(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(segments[0])
	require.NoError(t, err)
	assert.Contains(t, string(header), `"alg":"Ed25519"`)
	signature, err := base64.RawURLEncoding.DecodeString(segments[2])
	require.NoError(t, err)
	for _, alg := range []string{"Ed25519", "EdDSA"} {
		keys, err := r.Lookup(context.Background(), "a", alg)
		require.NoError(t, err)
		assert.NoError(t, keys[0].Verify(alg, []byte(segments[0]+"."+segments[1]), signature))
	}
}

func TestSignRefuses(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	store := new(jwks.MemoryKeyStore)
	require.NoError(t, store.SaveKeys(context.Background(), []byte(stored(t, "", edKey, 0, 9)), ""))
	_, err = newRotator(t, jwks.RotatorConfig{Store: store, Now: now}).Sign(context.Background(), "", jwt.MapClaims{})
	assert.ErrorContains(t, err, `unsupported alg ""`)
	_, err = newRotator(t, jwks.RotatorConfig{}).Sign(context.Background(), "", jwt.MapClaims{"f": func() {}})
	assert.ErrorContains(t, err, "jwks: signing: json: unsupported type")
	token, err := newRotator(t, jwks.RotatorConfig{}).Sign(context.Background(), "", json.RawMessage(`{"sub":"alice" }`))
	require.NoError(t, err)
	assert.Equal(t, base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"alice" }`)), strings.Split(token, ".")[1], "as it is")
	for _, claims := range []any{nil, "text", []string{"a"}, jwt.MapClaims(nil), (*struct{})(nil), 1,
		json.RawMessage(nil), json.RawMessage("{"), json.RawMessage("[]")} {
		_, err = newRotator(t, jwks.RotatorConfig{}).Sign(context.Background(), "", claims)
		assert.ErrorContains(t, err, "the claims are no JSON object", "%T", claims)
	}
}

// alteringSigner alters every signature.
type alteringSigner struct {
	crypto.Signer
	alter func([]byte) []byte
}

func (b alteringSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := b.Signer.Sign(r, digest, opts)
	return b.alter(signature), err
}

// TestSignRefusesWrongSignatures: a token that nobody would accept is not returned.
func TestSignRefusesWrongSignatures(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 3072)
	require.NoError(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for _, key := range []struct {
		alg    string
		signer crypto.Signer
	}{{"RS256", rsaKey}, {"PS256", rsaKey}, {"EdDSA", edKey}, {"ES384", ecKey}} {
		for _, row := range []struct {
			name  string
			alter func([]byte) []byte
			good  bool
		}{
			{"as it is", func(s []byte) []byte { return s }, true},
			{"nothing", func([]byte) []byte { return nil }, false},
			{"a byte less in front", func(s []byte) []byte { return s[1:] }, false},
			{"a byte less behind", func(s []byte) []byte { return s[:len(s)-1] }, false},
			{"a zero more in front", func(s []byte) []byte { return append([]byte{0}, s...) }, false},
			{"a zero more behind", func(s []byte) []byte { return append(s, 0) }, false},
			{"something longer", func([]byte) []byte { return append([]byte{0x30, 6, 2, 1, 1, 2, 1, 1}, make([]byte, 57)...) }, false},
		} {
			token, err := newRotator(t, jwks.RotatorConfig{Algorithm: key.alg, Signer: alteringSigner{key.signer, row.alter}}).
				Sign(context.Background(), "", jwt.MapClaims{})
			if row.good {
				require.NoError(t, err, key.alg)
				continue
			}
			require.ErrorContains(t, err, "jwks: signing: the signer returned", "%s, %s", key.alg, row.name)
			require.Empty(t, token)
		}
	}
}

// FuzzParseECDSA: a signature in ASN.1 is read as encoding/asn1 reads it, or refused.
func FuzzParseECDSA(f *testing.F) {
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		require.NoError(f, err)
		for range 4 {
			der, err := ecdsa.SignASN1(rand.Reader, key, make([]byte, 32))
			require.NoError(f, err)
			f.Add(der)
		}
	}
	for _, odd := range [][]byte{{}, {0x30, 0}, {0x30, 6, 2, 1, 1, 2, 1, 1}, {0x30, 6, 2, 1, 0, 2, 1, 1}, {0x30, 6, 2, 1, 0x80, 2, 1, 1}, {0x30, 7, 2, 2, 0, 1, 2, 1, 1},
		{0x30, 7, 2, 2, 0, 0x80, 2, 1, 1}, {0x30, 0x81, 6, 2, 1, 1, 2, 1, 1}, {0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0}, {0x30, 6, 2, 1, 1, 2, 1, 1, 0},
		{0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1}, {0x30, 6, 2, 1, 1, 2, 2, 1}} {
		f.Add(odd)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, size := range []int{32, 48, 66} {
			var rs struct{ R, S *big.Int }
			rest, err := asn1.Unmarshal(der, &rs)
			good := err == nil && len(rest) == 0 && rs.R.Sign() > 0 && rs.S.Sign() > 0 && rs.R.BitLen() <= 8*size && rs.S.BitLen() <= 8*size
			out, err := jwks.ParseECDSA(der, size)
			if err != nil {
				// encoding/asn1 passes over members that a struct has no field for.
				again, marshalErr := asn1.Marshal(rs)
				require.False(t, good && marshalErr == nil && string(again) == string(der), "%x", der)
				continue
			}
			require.True(t, good, "%x", der)
			require.Equal(t, rs.R.FillBytes(make([]byte, size)), out[:size])
			require.Equal(t, rs.S.FillBytes(make([]byte, size)), out[size:])
		}
	})
}
