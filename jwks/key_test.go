package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// vectorKey takes a key from a vector.
func vectorKey(t testing.TB, name, kid string) *jwks.Key {
	t.Helper()
	for _, v := range vectors(t) {
		if v.name == name {
			set, err := jwks.Parse(v.document)
			require.NoError(t, err)
			for _, k := range set.Keys() {
				if k.ID() == kid {
					return k
				}
			}
		}
	}
	require.Failf(t, "no such key", "%s %s", name, kid)
	return nil
}

func TestThumbprint(t *testing.T) {
	for _, row := range []struct {
		name string
		key  *jwks.Key
		want string
	}{
		{"RFC 7638, Section 3.1", vectorKey(t, "rfc7517-a1-public", "2011-04-29"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"RFC 8037, Appendix A.3", vectorKey(t, "rfc8037-a2-ed25519", ""), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := jwks.Thumbprint(row.key.Public())
			require.NoError(t, err)
			assert.Equal(t, row.want, got)
		})
	}
	seen := map[string]bool{}
	for _, kid := range []string{"rsa", "p256", "p384", "p521", "ed"} {
		got, err := jwks.Thumbprint(vectorKey(t, "all-kinds", kid).Public())
		require.NoError(t, err)
		assert.False(t, seen[got])
		assert.Len(t, got, 43)
		seen[got] = true
	}
	for _, public := range []crypto.PublicKey{nil, "text", []byte("secret"), &ecdh.PublicKey{}, (*rsa.PublicKey)(nil), (*ecdsa.PublicKey)(nil), &ecdsa.PublicKey{Curve: elliptic.P256()}} {
		_, err := jwks.Thumbprint(public)
		assert.Error(t, err)
	}
}

func TestNewKey(t *testing.T) {
	rsaKey := vectorKey(t, "all-kinds", "rsa").Public().(*rsa.PublicKey)
	p256 := vectorKey(t, "all-kinds", "p256").Public().(*ecdsa.PublicKey)
	ed := vectorKey(t, "all-kinds", "ed").Public()
	for _, row := range []struct {
		name      string
		algorithm string
		public    crypto.PublicKey
		says      string // empty: it is a key
	}{
		{"any algorithm", "", rsaKey, ""},
		{"an algorithm that fits", "PS384", rsaKey, ""},
		{"an algorithm of another kind of key", "ES256", rsaKey, `alg "ES256" does not fit the key`},
		{"an algorithm of another curve", "ES384", p256, `alg "ES384" does not fit the key`},
		{"a symmetric algorithm", "HS256", rsaKey, `alg "HS256" does not fit the key`},
		{"none", "none", rsaKey, `alg "none" does not fit the key`},
		{"EdDSA", "EdDSA", ed, ""},
		{"Ed25519", "Ed25519", ed, ""},
		{"no key", "", nil, "unsupported key type <nil>"},
		{"a secret", "", []byte("secret"), "unsupported key type []uint8"},
		{"an X25519 key", "", &ecdh.PublicKey{}, "unsupported key type *ecdh.PublicKey"},
		{"an RSA key by value", "", *rsaKey, "unsupported key type rsa.PublicKey"},
		{"a nil RSA key", "", (*rsa.PublicKey)(nil), "no modulus"},
		{"an RSA key of 2047 bits", "", &rsa.PublicKey{N: new(big.Int).Rsh(rsaKey.N, 1), E: 65537}, "RSA key of 2047 bits, less than 2048"},
		{"an RSA key of 16385 bits", "", &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int), 16384, 1), E: 65537}, "RSA key of 16385 bits, more than 16384"},
		{"an even modulus", "", &rsa.PublicKey{N: new(big.Int).SetBit(rsaKey.N, 0, 0), E: 65537}, "RSA modulus is even"},
		{"an exponent of 1", "", &rsa.PublicKey{N: rsaKey.N, E: 1}, "RSA exponent 1"},
		{"P-224", "", &ecdsa.PublicKey{Curve: elliptic.P224(), X: elliptic.P224().Params().Gx, Y: elliptic.P224().Params().Gy}, `unsupported curve "P-224"`},
		{"a point off the curve", "", &ecdsa.PublicKey{Curve: elliptic.P256(), X: p256.X, Y: p256.X}, "the point is not on the curve"},
		{"the point at infinity", "", &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, "the point is not on the curve"},
		{"no point", "", &ecdsa.PublicKey{Curve: elliptic.P256()}, "no curve or no point"},
		{"no curve", "", &ecdsa.PublicKey{}, "no curve or no point"},
		{"an Ed25519 key of 31 bytes", "", make(ed25519.PublicKey, 31), "Ed25519 key is not 32 bytes long"},
		{"an Ed25519 key of zeros", "", make(ed25519.PublicKey, 32), "the point is of small order"},
		{"an Ed25519 key that is no point", "", edPoint(2), "the point is not on the curve"},
		{"an Ed25519 key of ones", "", ed25519.PublicKey(bytes.Repeat([]byte{0xff}, 32)), "the point is not on the curve"},
	} {
		t.Run(row.name, func(t *testing.T) {
			k, err := jwks.NewKey("kid", row.algorithm, row.public)
			if row.says != "" {
				assert.Nil(t, k)
				require.ErrorContains(t, err, row.says)
				assert.True(t, strings.HasPrefix(err.Error(), `jwks: key "kid": `))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "kid", k.ID())
			assert.Equal(t, row.algorithm, k.Algorithm())
			assert.Equal(t, row.public, k.Public())
			assert.True(t, k.Current())
		})
	}
}

// edPoint is an Ed25519 key whose first byte is y and the others zero.
func edPoint(y byte) ed25519.PublicKey {
	k := make(ed25519.PublicKey, 32)
	k[0] = y
	return k
}

// TestEd25519Points: keys that crypto/ed25519 makes are taken, and no key of small order, in any spelling: under such a
// key crypto/ed25519 accepts signatures that anybody can make.
func TestEd25519Points(t *testing.T) {
	for range 50 {
		public, _, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		_, err = jwks.NewKey("", "", public)
		assert.NoError(t, err)
	}
	forgeable := 0
	for _, point := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"0000000000000000000000000000000000000000000000000000000000000080", // order 4
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", // order 8
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", // order 8
		"0100000000000000000000000000000000000000000000000000000000000080", // order 1, the sign of zero
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // order 2, the sign of zero
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 1, y = p + 1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 4, y = p
	} {
		k, err := hex.DecodeString(point)
		require.NoError(t, err)
		_, err = jwks.NewKey("", "", ed25519.PublicKey(k))
		assert.ErrorContains(t, err, "the point is", point)
		signature := make([]byte, 64)
		signature[0] = 1
		for i := range byte(32) {
			if ed25519.Verify(k, []byte{i}, signature) {
				forgeable++
				break
			}
		}
	}
	assert.NotZero(t, forgeable, "the standard library refuses such keys by now: is this still needed?")

	// The point with y = 3 is of large order. The spelling y + p is not canonical, and crypto/ed25519 would take it.
	_, err := jwks.NewKey("", "", edPoint(3))
	assert.NoError(t, err)
	other := ed25519.PublicKey(bytes.Repeat([]byte{0xff}, 32))
	other[0], other[31] = 0xed+3, 0x7f
	_, err = jwks.NewKey("", "", other)
	assert.ErrorContains(t, err, "the point is not on the curve")
}

func TestNewSet(t *testing.T) {
	_, err := jwks.NewSet()
	assert.EqualError(t, err, "jwks: a set needs a key")
	_, err = jwks.NewSet(nil)
	assert.EqualError(t, err, "jwks: key 0 of the set was not made by NewKey")
	_, err = jwks.NewSet(newKey(t, "a"), &jwks.Key{})
	assert.EqualError(t, err, "jwks: key 1 of the set was not made by NewKey")
	a := newKey(t, "a")
	_, err = jwks.NewSet(a, a)
	assert.EqualError(t, err, `jwks: key "a": the same key again`)
}

// TestSetLookup is about which keys a token finds by its header.
func TestSetLookup(t *testing.T) {
	id := func(kid, alg, from string) *jwks.Key {
		k, err := jwks.NewKey(kid, alg, vectorKey(t, "all-kinds", from).Public())
		require.NoError(t, err)
		return k
	}
	rsaAny, rs256, ec, ec384, ed := id("rsa", "", "rsa"), id("rs256", "RS256", "rs256"), id("ec", "", "p256"), id("ec384", "", "p384"), id("ed", "EdDSA", "ed")
	same1, same2, sameEC := id("same", "", "rsa"), id("same", "RS256", "rs256"), id("same", "", "p256")
	nameless, ed25519Only, edAny := id("", "", "p256"), id("ed25519", "Ed25519", "ed"), id("ed-any", "", "ed")
	keys := func(k ...*jwks.Key) []*jwks.Key { return k }
	for _, row := range []struct {
		name     string
		set      []*jwks.Key
		kid, alg string
		want     []*jwks.Key // none: ErrKeyNotFound
	}{
		{"the kid decides", keys(rsaAny, rs256, ec), "rs256", "RS256", keys(rs256)},
		{"an unknown kid", keys(rsaAny, rs256), "other", "RS256", nil},
		{"a kid in other letters", keys(rsaAny, rs256), "RSA", "RS256", nil},
		{"a key without alg, under each algorithm that fits", keys(rsaAny), "rsa", "PS512", keys(rsaAny)},
		{"a key with alg, under another that would fit", keys(rs256), "rs256", "PS256", nil},
		{"an RSA key for ES256", keys(rsaAny), "rsa", "ES256", nil},
		{"an EC key for RS256", keys(ec), "ec", "RS256", nil},
		{"a P-256 key for ES384", keys(ec), "ec", "ES384", nil},
		{"a P-384 key for ES256", keys(ec384), "ec384", "ES256", nil},
		{"an EC key for EdDSA", keys(ec), "ec", "EdDSA", nil},
		{"an Ed25519 key for EdDSA", keys(ed), "ed", "EdDSA", keys(ed)},
		{"an EdDSA key for Ed25519", keys(ed), "ed", "Ed25519", keys(ed)},
		{"an Ed25519 key for EdDSA, by the other name", keys(ed25519Only), "ed25519", "EdDSA", keys(ed25519Only)},
		{"an Ed25519 key for Ed25519", keys(ed25519Only), "ed25519", "Ed25519", keys(ed25519Only)},
		{"an Ed25519 key for any, under both names", keys(edAny), "ed-any", "Ed25519", keys(edAny)},
		{"no kid, an Ed25519 key by the other name", keys(ed25519Only, ec), "", "EdDSA", keys(ed25519Only)},
		{"no kid, Ed25519 keys under both names: the token's own", keys(ed, ed25519Only), "", "EdDSA", keys(ed)},
		{"no kid, Ed25519 keys under both names: the other", keys(ed, ed25519Only), "", "Ed25519", keys(ed25519Only)},
		{"no kid, two Ed25519 keys by the other name", keys(ed25519Only, id("ed25519-2", "Ed25519", "ed")), "", "EdDSA", nil},
		{"no kid, Ed25519 keys under both names and one for any", keys(ed, ed25519Only, edAny), "", "EdDSA", nil},
		{"an RSA key for HS256", keys(rsaAny), "rsa", "HS256", nil},
		{"an RSA key for none", keys(rsaAny), "rsa", "none", nil},
		{"no alg", keys(rsaAny), "rsa", "", nil},
		{"keys that share a kid: all that fit", keys(same1, same2, sameEC), "same", "RS256", keys(same1, same2)},
		{"keys that share a kid: only those that fit", keys(same1, same2, sameEC), "same", "PS256", keys(same1)},
		{"keys that share a kid: the other kind", keys(same1, same2, sameEC), "same", "ES256", keys(sameEC)},
		{"no kid, one key that fits", keys(rsaAny, ec, ed), "", "ES256", keys(ec)},
		{"no kid, one key, with a kid", keys(ec), "", "ES256", keys(ec)},
		{"no kid, several keys that fit", keys(rsaAny, rs256, ec), "", "RS256", nil},
		{"no kid, several keys but one for this alg", keys(rsaAny, rs256), "", "PS256", keys(rsaAny)},
		{"no kid, no key that fits", keys(rsaAny), "", "ES256", nil},
		{"a key without kid, a token without", keys(nameless, rsaAny), "", "ES256", keys(nameless)},
		{"a key without kid, a token with one", keys(nameless), "x", "ES256", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			set, err := jwks.NewSet(row.set...)
			require.NoError(t, err)
			got, err := set.Lookup(context.Background(), row.kid, row.alg)
			if row.want == nil {
				assert.Nil(t, got)
				assert.ErrorIs(t, err, jwks.ErrKeyNotFound)
				return
			}
			require.NoError(t, err)
			require.Len(t, got, len(row.want))
			for i := range got {
				assert.Same(t, row.want[i], got[i])
			}
		})
	}
}

func TestKeyLogValue(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("key", "key", vectorKey(t, "all-kinds", "rs256"))
	assert.Contains(t, out.String(), "key.kid=rs256 key.alg=RS256\n")
}
