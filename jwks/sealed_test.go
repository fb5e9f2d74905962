package jwks_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

var (
	sealKey      = []byte("0123456789abcdef0123456789abcdef")
	otherSealKey = []byte("another key of thirty-two bytes.")
)

func sealedStore(t testing.TB, store jwks.KeyStore, keys ...[]byte) *jwks.SealedKeyStore {
	t.Helper()
	s, err := jwks.NewSealedKeyStore(store, keys...)
	require.NoError(t, err)
	return s
}

func load(t testing.TB, store jwks.KeyStore) []byte {
	t.Helper()
	state, _, err := store.LoadKeys(context.Background())
	require.NoError(t, err)
	return state
}

// put replaces the state of a store, whatever it was.
func put(t testing.TB, store jwks.KeyStore, state []byte) {
	t.Helper()
	_, version, err := store.LoadKeys(context.Background())
	require.NoError(t, err)
	require.NoError(t, store.SaveKeys(context.Background(), state, version))
}

func TestSealedKeyStoreKeys(t *testing.T) {
	for _, row := range []struct {
		name string
		keys [][]byte
		says string
	}{
		{"no key", nil, "there is none"},
		{"an empty key", [][]byte{{}}, "key 0 has 0"},
		{"a key of AES-128", [][]byte{sealKey[:16]}, "key 0 has 16"},
		{"a key that is one byte too short", [][]byte{sealKey[:31]}, "key 0 has 31"},
		{"a key that is one byte too long", [][]byte{append(sealKey[:32:32], 0)}, "key 0 has 33"},
		{"a second key that is nil", [][]byte{sealKey, nil}, "key 1 has 0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := jwks.NewSealedKeyStore(new(jwks.MemoryKeyStore), row.keys...)
			assert.ErrorIs(t, err, jwks.ErrSealKey)
			assert.ErrorContains(t, err, row.says)
			assert.NotContains(t, err.Error(), "01234")
			assert.Nil(t, s)
		})
	}
	_, err := jwks.NewSealedKeyStore(nil, sealKey)
	assert.ErrorContains(t, err, "jwks: the store for the sealed keys is nil")
}

func TestSealedKeyStoreForm(t *testing.T) {
	ctx := context.Background()
	store := new(jwks.MemoryKeyStore)
	key := bytes.Clone(sealKey)
	s := sealedStore(t, store, key)
	clear(key) // it was the caller's
	state := []byte(`{"format":1,"keys":[]}`)
	require.NoError(t, s.SaveKeys(ctx, state, ""))
	assert.Equal(t, state, load(t, sealedStore(t, store, sealKey)))
	first := load(t, store)
	assert.Len(t, first, 1+12+len(state)+16, "format, nonce, text, tag")
	assert.Equal(t, byte(1), first[0])
	for i := range len(state) - 4 {
		require.NotContains(t, string(first), string(state[i:i+4]), "nothing of it is there in clear")
	}
	put(t, s, state)
	second := load(t, store)
	assert.NotEqual(t, first[1:13], second[1:13], "each time another nonce")

	put(t, store, sealedBefore(t))
	assert.Equal(t, "what the release before has sealed", string(load(t, s)), "for as long as there is format 1")
}

// sealedBefore was sealed with sealKey by another implementation of the format.
func sealedBefore(t testing.TB) []byte {
	t.Helper()
	sealed, err := hex.DecodeString("01b923895922446f7a4cc81321eef584e207cd7749e888b3472dba31aa3ed28e3a99977ab7896582c6" +
		"88101d3007427f126c3b6dcdbddc200165ca3b4f258c")
	require.NoError(t, err)
	return sealed
}

// tampered returns states that were sealed with sealKey and then changed, and states that were never sealed.
func tampered(t testing.TB) map[string][]byte {
	t.Helper()
	sealed := sealedBefore(t)
	flip := func(i int) []byte {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		return b
	}
	store := new(jwks.MemoryKeyStore)
	put(t, sealedStore(t, store, otherSealKey), []byte(`{"format":1}`))
	return map[string][]byte{
		"nothing": nil, "another format": flip(0), "another nonce": flip(1), "another text": flip(13), "another tag": flip(len(sealed) - 1),
		"cut off at the end": sealed[:len(sealed)-1], "cut off at the start": sealed[1:], "longer": append(bytes.Clone(sealed), 0),
		"only the format": sealed[:1], "no text and no tag": sealed[:13], "no text": append(sealed[:13:13], sealed[len(sealed)-16:]...),
		"twice": append(bytes.Clone(sealed), sealed...), "in clear": []byte(`{"format":1,"keys":[]}`), "another key's": load(t, store),
	}
}

func TestSealedKeyStoreRefusesTamperedStates(t *testing.T) {
	ctx := context.Background()
	for name, value := range tampered(t) {
		t.Run(name, func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			require.NoError(t, store.SaveKeys(ctx, value, ""))
			s := sealedStore(t, store, sealKey)
			state, version, err := s.LoadKeys(ctx)
			assert.ErrorIs(t, err, jwks.ErrSealed)
			assert.Empty(t, state)
			assert.Empty(t, version)
			assert.ErrorIs(t, s.Reseal(ctx), jwks.ErrSealed)
			r := newRotator(t, jwks.RotatorConfig{Store: s})
			assert.ErrorIs(t, r.Ready(ctx), jwks.ErrUnavailable)
			assert.ErrorIs(t, r.Rotate(ctx), jwks.ErrSealed)
			assert.Equal(t, value, load(t, store), "it is left as it is")
		})
	}
}

// FuzzSealedKeyStore: whatever is stored, only what was sealed with the key is opened, byte for byte.
func FuzzSealedKeyStore(f *testing.F) {
	good := sealedBefore(f)
	f.Add(good)
	for _, value := range tampered(f) {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		store := new(jwks.MemoryKeyStore)
		put(t, store, value)
		s := sealedStore(t, store, sealKey)
		state, version, err := s.LoadKeys(context.Background())
		if bytes.Equal(value, good) {
			require.NoError(t, err)
			require.Equal(t, "what the release before has sealed", string(state))
			require.NoError(t, s.Reseal(context.Background()))
		} else {
			require.ErrorIs(t, err, jwks.ErrSealed)
			require.Empty(t, state)
			require.Empty(t, version)
			require.ErrorIs(t, s.Reseal(context.Background()), jwks.ErrSealed)
		}
		require.Equal(t, value, load(t, store))
	})
}

func TestSealKeysAreNotPrinted(t *testing.T) {
	s := sealedStore(t, new(jwks.MemoryKeyStore), sealKey, otherSealKey)
	put(t, s, []byte("state"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		assert.Equal(t, "jwks.SealedKeyStore", fmt.Sprintf(verb, s))
		assert.Equal(t, "jwks.SealedKeyStore", fmt.Sprintf(verb, *s))
		var out bytes.Buffer
		_, _ = fmt.Fprintf(&out, verb, struct{ Keys any }{s})
		_, _ = fmt.Fprintf(&out, verb, struct{ keys *jwks.SealedKeyStore }{s})
		_, _ = fmt.Fprintf(&out, verb, struct{ keys jwks.SealedKeyStore }{*s})
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "keys", s, "value", *s)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "keys", s, "value", *s)
		for _, secret := range []string{"01234567", "30313233", "48 49 50", "48, 49, 50", "808530483", "858927408", "0x30, 0x31"} {
			assert.NotContains(t, out.String(), secret, verb)
		}
	}
}
