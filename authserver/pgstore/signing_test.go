package pgstore_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver/pgstore"
	"github.com/bearergate/bearergate/authserver/storetest"
	"github.com/bearergate/bearergate/jwks"
)

func TestKeyStore(t *testing.T) {
	for _, row := range []struct{ name, parameter string }{
		{"default mode", ""},
		{"simple protocol", "&default_query_exec_mode=simple_protocol"},
	} {
		t.Run(row.name, func(t *testing.T) {
			storetest.RunKeys(t, func(t *testing.T) jwks.KeyStore {
				cfg := config(t)
				cfg.URL += row.parameter
				return open(t, cfg)
			})
		})
	}
}

func kid(t testing.TB, s *pgstore.Store) string {
	t.Helper()
	r, err := jwks.NewRotator(jwks.RotatorConfig{Store: s})
	require.NoError(t, err)
	token, err := r.Sign(t.Context(), "JWT", map[string]any{})
	require.NoError(t, err)
	return strings.Split(token, ".")[0] // the header, with the kid
}

func TestNodesSignWithTheSameKeys(t *testing.T) {
	cfg := config(t)
	kids := make([]string, 5)
	var wg sync.WaitGroup
	for i := range kids {
		wg.Go(func() { kids[i] = kid(t, open(t, cfg)) })
	}
	wg.Wait()
	for _, k := range kids {
		assert.Equal(t, kids[0], k)
	}
}

// sealed reads what is in the database.
func sealed(t testing.TB, cfg pgstore.Config) []byte {
	t.Helper()
	text := query(t, cfg.URL, "SELECT encode(sealed, 'hex') FROM "+table(cfg, "signing_keys"))
	require.Len(t, text, 1)
	raw, err := hex.DecodeString(text[0])
	require.NoError(t, err)
	return raw
}

func TestSigningKeysAreSealed(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	kid(t, s)
	state, _, err := s.LoadKeys(t.Context())
	require.NoError(t, err)
	require.True(t, json.Valid(state))
	raw := sealed(t, cfg)
	assert.Equal(t, 1+12+len(state)+16, len(raw), "format, nonce, text, tag")
	for i := range len(state) - 8 {
		require.NotContains(t, string(raw), string(state[i:i+8]), "nothing of it is there in clear")
	}
}

func TestTheKeyToSealWithChanges(t *testing.T) {
	cfg := config(t)
	signs := kid(t, open(t, cfg))
	raw := sealed(t, cfg)
	other := cfg
	other.SealKeys = [][]byte{[]byte("another key of thirty-two bytes.")}
	_, err := pgstore.Open(t.Context(), other)
	assert.ErrorIs(t, err, jwks.ErrSealed)
	assert.Equal(t, raw, sealed(t, cfg), "it was left as it is")

	second := cfg // the other key is known, but does not seal yet
	second.SealKeys = [][]byte{sealKey, other.SealKeys[0]}
	assert.Equal(t, signs, kid(t, open(t, second)))
	assert.Equal(t, raw, sealed(t, cfg))
	first := cfg // now it seals
	first.SealKeys = [][]byte{other.SealKeys[0], sealKey}
	assert.Equal(t, signs, kid(t, open(t, first)))
	assert.NotEqual(t, raw, sealed(t, cfg))
	assert.Equal(t, signs, kid(t, open(t, other)), "the old key can go")
	assert.Equal(t, signs, kid(t, open(t, second)), "a node that has both reads it too, whichever is first")
}

// What is refused in detail, package jwks shows.
func TestSigningKeysThatWereTamperedWith(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	require.NoError(t, s.SaveKeys(t.Context(), []byte("state"), ""))
	raw := sealed(t, cfg)
	put := func(t *testing.T, raw []byte) {
		query(t, cfg.URL, fmt.Sprintf("UPDATE %s SET sealed = '\\x%x'", table(cfg, "signing_keys"), raw))
	}
	for _, row := range []struct {
		name  string
		value []byte
	}{
		{"nothing", nil}, {"cut off", raw[:len(raw)-1]}, {"in clear", []byte("state")},
	} {
		t.Run(row.name, func(t *testing.T) {
			put(t, row.value)
			_, _, err := s.LoadKeys(t.Context())
			assert.ErrorIs(t, err, jwks.ErrSealed)
			_, err = pgstore.Open(t.Context(), cfg)
			assert.ErrorIs(t, err, jwks.ErrSealed)
		})
	}
	put(t, raw)
	state, _, err := s.LoadKeys(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "state", string(state))
}
