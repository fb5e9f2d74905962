package jwks_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// sourceFunc is a KeySource of somebody's own.
type sourceFunc func(ctx context.Context, kid, alg string) ([]*jwks.Key, error)

func (f sourceFunc) Lookup(ctx context.Context, kid, alg string) ([]*jwks.Key, error) {
	return f(ctx, kid, alg)
}

func signed(t testing.TB, alg string, key crypto.Signer, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), jwt.MapClaims{"sub": "alice"})
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

// TestKeyfunc: golang-jwt's parser finds the keys of a source, and its error tells what the source said.
func TestKeyfunc(t *testing.T) {
	parse := func(source jwks.KeySource, token string) error {
		_, err := jwt.NewParser(jwt.WithValidMethods(allAlgorithms)).Parse(token, jwks.Keyfunc(source))
		return err
	}
	private := signers(t)
	var keys []*jwks.Key
	for alg, signer := range private {
		k, err := jwks.NewKey(alg, alg, signer.Public())
		require.NoError(t, err)
		keys = append(keys, k)
	}
	set, err := jwks.NewSet(keys...)
	require.NoError(t, err)
	for alg, signer := range private {
		assert.NoError(t, parse(set, signed(t, alg, signer, map[string]any{"kid": alg})), alg)
		assert.ErrorIs(t, parse(set, signed(t, alg, signer, map[string]any{"kid": "other"})), jwks.ErrKeyNotFound, alg)
		assert.ErrorIs(t, parse(set, signed(t, alg, signers(t)[alg], map[string]any{"kid": alg})), jwt.ErrTokenSignatureInvalid, alg)
	}
	es256 := private["ES256"]
	assert.NoError(t, parse(set, signed(t, "ES256", es256, nil)), "no kid, one key that fits")
	for _, kid := range []any{1, nil, []string{"ES256"}, true} {
		err := parse(set, signed(t, "ES256", es256, map[string]any{"kid": kid}))
		assert.ErrorIs(t, err, jwks.ErrKeyNotFound, "kid %v", kid)
		assert.ErrorContains(t, err, "kid is not a string")
	}
	assert.ErrorIs(t, parse(sourceFunc(func(context.Context, string, string) ([]*jwks.Key, error) {
		return nil, fmt.Errorf("%w: no answer", jwks.ErrUnavailable)
	}), signed(t, "ES256", es256, nil)), jwks.ErrUnavailable)

	t.Run("several keys with one kid", func(t *testing.T) {
		first, second := ecSigner(t), ecSigner(t)
		set, err := jwks.NewSet(publicKey(t, first), publicKey(t, second))
		require.NoError(t, err)
		for _, signer := range []crypto.Signer{first, second} {
			assert.NoError(t, parse(set, signed(t, "ES256", signer, map[string]any{"kid": "kid"})))
		}
		assert.ErrorIs(t, parse(set, signed(t, "ES256", ecSigner(t), map[string]any{"kid": "kid"})), jwt.ErrTokenSignatureInvalid)
	})
	t.Run("a key that does not fit is not tried", func(t *testing.T) {
		p256 := private["ES256"].(*ecdsa.PrivateKey)
		careless := sourceFunc(func(context.Context, string, string) ([]*jwks.Key, error) {
			return []*jwks.Key{publicKey(t, p256)}, nil
		})
		assert.ErrorIs(t, parse(careless, signed(t, "ES384", private["ES384"], nil)), jwks.ErrKeyNotFound)
		assert.NoError(t, parse(careless, signed(t, "ES256", p256, nil)))
	})
}

// brokenStorage is a jwkset storage that fails as long as fail is not nil.
type brokenStorage struct {
	jwkset.Storage
	fail error
}

func (s *brokenStorage) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	if s.fail != nil {
		return jwkset.JWK{}, s.fail
	}
	return s.Storage.KeyRead(ctx, kid)
}

func (s *brokenStorage) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	return s.Storage.KeyReadAll(ctx)
}

func storageOf(t testing.TB, keys ...jwkset.JWK) *brokenStorage {
	t.Helper()
	s := &brokenStorage{Storage: jwkset.NewMemoryStorage()}
	for _, k := range keys {
		require.NoError(t, s.KeyWrite(context.Background(), k))
	}
	return s
}

func jwkOf(t testing.TB, key any, meta jwkset.JWKMetadataOptions) jwkset.JWK {
	t.Helper()
	jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: meta, Marshal: jwkset.JWKMarshalOptions{Private: true},
		Validate: jwkset.JWKValidateOptions{SkipAll: true}})
	require.NoError(t, err)
	return jwk
}

func keyfuncOver(t testing.TB, s jwkset.Storage, uses ...jwkset.USE) jwks.KeySource {
	t.Helper()
	k, err := keyfunc.New(keyfunc.Options{Storage: s, UseWhitelist: uses})
	require.NoError(t, err)
	return jwks.FromKeyfunc(k)
}

// TestFromKeyfunc is about which keys a token finds in a keyfunc.
func TestFromKeyfunc(t *testing.T) {
	private := signers(t)
	rsaKey, p256, ed := private["RS256"], private["ES256"], private["EdDSA"]
	small, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // too small, on purpose
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	meta := func(kid string, alg jwkset.ALG, use jwkset.USE) jwkset.JWKMetadataOptions {
		return jwkset.JWKMetadataOptions{KID: kid, ALG: alg, USE: use}
	}
	full := storageOf(t,
		jwkOf(t, rsaKey, meta("rsa", "", "")), jwkOf(t, rsaKey.Public(), meta("rs256", "RS256", "sig")),
		jwkOf(t, p256.Public(), meta("p256", "", "")), jwkOf(t, ed.Public(), meta("eddsa", "EdDSA", "")),
		jwkOf(t, []byte("secret"), meta("oct", "", "")),
		jwkOf(t, small.Public(), meta("small", "", "")), jwkOf(t, p224.Public(), meta("p224", "", "")))
	one := storageOf(t, jwkOf(t, p256.Public(), meta("p256", "", "")), jwkOf(t, rsaKey.Public(), meta("rsa", "", "")))
	for _, row := range []struct {
		name     string
		source   jwks.KeySource
		kid, alg string
		want     crypto.Signer // nil: ErrKeyNotFound
	}{
		{"the kid decides", keyfuncOver(t, full), "p256", "ES256", p256},
		{"an unknown kid", keyfuncOver(t, full), "other", "ES256", nil},
		{"a private key: its public half", keyfuncOver(t, full), "rsa", "PS512", rsaKey},
		{"a key with alg", keyfuncOver(t, full), "rs256", "RS256", rsaKey},
		{"a key with alg, under another that would fit", keyfuncOver(t, full), "rs256", "PS256", nil},
		{"an RSA key for ES256", keyfuncOver(t, full), "rsa", "ES256", nil},
		{"a P-256 key for ES384", keyfuncOver(t, full), "p256", "ES384", nil},
		{"an EdDSA key for EdDSA", keyfuncOver(t, full), "eddsa", "EdDSA", ed},
		{"an EdDSA key for Ed25519", keyfuncOver(t, full), "eddsa", "Ed25519", ed},
		{"an EdDSA key for RS256", keyfuncOver(t, full), "eddsa", "RS256", nil},
		{"a secret for HS256", keyfuncOver(t, full), "oct", "HS256", nil},
		{"a secret for RS256", keyfuncOver(t, full), "oct", "RS256", nil},
		{"a key for none", keyfuncOver(t, full), "rsa", "none", nil},
		{"an RSA key that is too small", keyfuncOver(t, full), "small", "RS256", nil},
		{"a curve that is not supported", keyfuncOver(t, full), "p224", "ES256", nil},
		{"a use that keyfunc wants", keyfuncOver(t, full, jwkset.UseSig), "rs256", "RS256", rsaKey},
		{"a use that keyfunc does not want", keyfuncOver(t, full, jwkset.UseSig), "p256", "ES256", nil},
		{"no kid, one key that fits", keyfuncOver(t, one), "", "ES256", p256},
		{"no kid, several keys that fit", keyfuncOver(t, full), "", "RS256", nil},
		{"no kid, no key that fits", keyfuncOver(t, one), "", "ES384", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			keys, err := row.source.Lookup(t.Context(), row.kid, row.alg)
			if row.want == nil {
				assert.ErrorIs(t, err, jwks.ErrKeyNotFound)
				assert.NotErrorIs(t, err, jwks.ErrUnavailable)
				assert.Empty(t, keys)
				return
			}
			require.NoError(t, err)
			require.Len(t, keys, 1)
			assert.Equal(t, row.want.Public(), keys[0].Public())
			assert.True(t, keys[0].Fits(row.alg))
			again, err := row.source.Lookup(t.Context(), row.kid, row.alg)
			require.NoError(t, err)
			require.Len(t, again, 1)
			assert.Same(t, keys[0], again[0])
		})
	}
}

// TestFromKeyfuncOutage: what is the storage's fault is not blamed on the token.
func TestFromKeyfuncOutage(t *testing.T) {
	down := errors.New("connection refused")
	jwk := jwkOf(t, ecSigner(t).Public(), jwkset.JWKMetadataOptions{KID: "a"})
	storage := storageOf(t, jwk)
	source := keyfuncOver(t, storage)
	_, err := source.Lookup(t.Context(), "a", "ES256")
	require.NoError(t, err)
	for _, kid := range []string{"a", "other", ""} {
		storage.fail = down
		_, err = source.Lookup(t.Context(), kid, "ES256")
		assert.ErrorIs(t, err, jwks.ErrUnavailable, "kid %q", kid)
		assert.ErrorIs(t, err, down, "kid %q", kid)
		assert.NotErrorIs(t, err, jwks.ErrKeyNotFound, "kid %q", kid)

		_, err = keyfuncOver(t, storageOf(t)).Lookup(t.Context(), kid, "ES256")
		assert.ErrorIs(t, err, jwks.ErrUnavailable, "no key at all, kid %q", kid)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the client has gone"))
	_, err = source.Lookup(ended, "a", "ES256")
	assert.ErrorContains(t, err, "the client has gone")
	assert.NotErrorIs(t, err, jwks.ErrUnavailable)
	_, err = source.Lookup(ended, "a", "HS256")
	assert.ErrorIs(t, err, jwks.ErrKeyNotFound, "what no key could ever be found for is not asked about")
	storage.fail = nil
	_, err = source.Lookup(t.Context(), "a", "ES256")
	assert.NoError(t, err)
}

// TestFromKeyfuncRotation: a key that is replaced or removed is no longer current once its kid has been looked up.
func TestFromKeyfuncRotation(t *testing.T) {
	first := jwkOf(t, ecSigner(t).Public(), jwkset.JWKMetadataOptions{KID: "a"})
	second := jwkOf(t, ecSigner(t).Public(), jwkset.JWKMetadataOptions{KID: "a"})
	other := jwkOf(t, ecSigner(t).Public(), jwkset.JWKMetadataOptions{KID: "b"})
	storage := storageOf(t, first, other)
	source := keyfuncOver(t, storage)
	lookUp := func() *jwks.Key {
		k, err := lookup(source, "a")
		require.NoError(t, err)
		return k
	}
	old := lookUp()
	assert.True(t, old.Current())
	require.NoError(t, storage.KeyReplaceAll(t.Context(), []jwkset.JWK{second, other}))
	replaced := lookUp()
	assert.NotSame(t, old, replaced)
	assert.False(t, old.Current())
	assert.True(t, replaced.Current())
	require.NoError(t, storage.KeyReplaceAll(t.Context(), []jwkset.JWK{other}))
	_, err := lookup(source, "a")
	assert.ErrorIs(t, err, jwks.ErrKeyNotFound)
	assert.False(t, replaced.Current())
	require.NoError(t, storage.KeyReplaceAll(t.Context(), []jwkset.JWK{first, other}))
	assert.NotSame(t, old, lookUp(), "what is not current never becomes current again")
}

// TestFromKeyfuncOtherAlgorithm: a token whose alg is not the key's, which anybody can send, does not drop the key. Otherwise
// each such token would empty the cache of verified tokens.
func TestFromKeyfuncOtherAlgorithm(t *testing.T) {
	options := jwkset.JWKMetadataOptions{KID: "a", ALG: "ES256"}
	source := keyfuncOver(t, storageOf(t, jwkOf(t, ecSigner(t).Public(), options)))
	k, err := lookup(source, "a")
	require.NoError(t, err)
	for _, alg := range []string{"RS256", "ES384", "EdDSA"} {
		_, err = source.Lookup(t.Context(), "a", alg)
		assert.ErrorIs(t, err, jwks.ErrKeyNotFound, alg)
		assert.True(t, k.Current(), alg)
	}
	again, err := lookup(source, "a")
	require.NoError(t, err)
	assert.Same(t, k, again)
}

// TestNilKeyfunc: what is missing is not blamed on the token.
func TestNilKeyfunc(t *testing.T) {
	_, err := jwks.FromKeyfunc(nil).Lookup(t.Context(), "a", "ES256")
	assert.ErrorIs(t, err, jwks.ErrUnavailable)
	_, err = jwt.Parse(signed(t, "ES256", ecSigner(t), nil), jwks.Keyfunc(nil), jwt.WithValidMethods([]string{"ES256"}))
	assert.ErrorIs(t, err, jwks.ErrUnavailable)
}

// TestFromKeyfuncAndBack: the two are each other's inverse.
func TestFromKeyfuncAndBack(t *testing.T) {
	signer := ecSigner(t)
	source := keyfuncOver(t, storageOf(t, jwkOf(t, signer.Public(), jwkset.JWKMetadataOptions{KID: "a"})))
	_, err := jwt.Parse(signed(t, "ES256", signer, map[string]any{"kid": "a"}), jwks.Keyfunc(source), jwt.WithValidMethods([]string{"ES256"}))
	assert.NoError(t, err)
}
