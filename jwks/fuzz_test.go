package jwks_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// FuzzParse: whatever the document, Parse does not panic. The keys that it returns can verify a signature, are found
// for what they are published for and nothing else, and survive being written and read again.
func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		set, err := jwks.Parse(document)
		if err != nil {
			assert.True(t, strings.HasPrefix(err.Error(), "jwks: "))
			return
		}
		keys := set.Keys()
		require.NotEmpty(t, keys)
		for _, k := range keys {
			_, err := jwks.NewKey(k.ID(), k.Algorithm(), k.Public())
			require.NoError(t, err)
			refusesGarbage(t, k.Public())
			for _, alg := range allAlgorithms {
				found, err := set.Lookup(context.Background(), k.ID(), alg)
				if err != nil {
					require.ErrorIs(t, err, jwks.ErrKeyNotFound)
					require.Empty(t, found)
					continue
				}
				require.NotEmpty(t, found)
				require.LessOrEqual(t, len(found), 8)
				for _, other := range found {
					require.True(t, other.ID() == k.ID() || k.ID() == "")
					require.True(t, other.Fits(alg))
				}
			}
		}
		written, err := set.MarshalJSON()
		require.NoError(t, err)
		again, err := jwks.Parse(written)
		require.NoError(t, err)
		require.Empty(t, again.Skipped())
		require.Len(t, again.Keys(), len(keys))
	})
}

// refusesGarbage verifies a made-up signature: the error must be about the signature, not about the key.
func refusesGarbage(t *testing.T, public crypto.PublicKey) {
	t.Helper()
	digest := sha256.Sum256(nil)
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() > 4096 {
			return // too slow to fuzz
		}
		signature := make([]byte, k.Size())
		signature[k.Size()-1] = 2
		require.Equal(t, rsa.ErrVerification, rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature))
	case *ecdsa.PublicKey:
		require.False(t, ecdsa.VerifyASN1(k, digest[:], []byte{0x30, 6, 2, 1, 1, 2, 1, 1}))
	case ed25519.PublicKey:
		// R the neutral element, S zero: what a key of small order accepts.
		signature := make([]byte, ed25519.SignatureSize)
		signature[0] = 1
		for i := range byte(32) {
			require.False(t, ed25519.Verify(k, []byte{i}, signature))
		}
	default:
		require.Failf(t, "a key of another kind", "%T", public)
	}
}

// FuzzDiscovery: whatever the document, parsing it does not panic. An address is taken only from a document of this
// very issuer, and only with https, or with http on loopback if the issuer is there too.
func FuzzDiscovery(f *testing.F) {
	for _, document := range []string{
		`{"issuer": "https://issuer.example", "jwks_uri": "https://keys.example/keys"}`,
		`{"issuer": "https://issuer.example/", "jwks_uri": "https://keys.example/keys"}`,
		`{"issuer": "https://issuer.example", "jwks_uri": "http://127.0.0.1/keys"}`,
		`{"issuer": "http://127.0.0.1:5000", "jwks_uri": "http://127.0.0.1:5000/keys"}`,
		`{"issuer": "http://127.0.0.1:5000", "jwks_uri": "http://10.0.0.1/keys"}`,
		`{"issuer": "https://issuer.example", "jwks_uri": "https://u:p@keys.example/keys#x"}`,
		`{"Issuer": "https://issuer.example", "JWKS_URI": "https://keys.example/keys"}`,
		`{"issuer": 1, "jwks_uri": null}`, `{"issuer": "https://issuer.example"}`, `[]`, `{}`, ``, `null`,
	} {
		f.Add(document, "https://issuer.example")
		f.Add(document, "http://127.0.0.1:5000")
	}
	f.Fuzz(func(t *testing.T, document, issuer string) {
		address, err := jwks.ParseDiscovery([]byte(document), issuer, false)
		if err != nil {
			assert.Empty(t, address)
			return
		}
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(document), &object))
		require.Equal(t, issuer, object["issuer"])
		require.Equal(t, address, object["jwks_uri"])
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.NotEmpty(t, u.Hostname())
		require.Nil(t, u.User)
		if u.Scheme != "https" {
			require.Equal(t, "http", u.Scheme)
			require.True(t, strings.HasPrefix(strings.ToLower(issuer), "http:"))
		}
		_, err = jwks.NewRemote(jwks.RemoteConfig{URL: address})
		require.NoError(t, err)
	})
}
