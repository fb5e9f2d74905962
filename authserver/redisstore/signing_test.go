package redisstore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver/redisstore"
	"github.com/bearergate/bearergate/jwks"
)

func TestSigningKeysAreComparedAndReplaced(t *testing.T) {
	s := open(t, config(t))
	state, none, err := s.LoadKeys(t.Context())
	require.NoError(t, err)
	assert.Empty(t, state)
	assert.Empty(t, none)
	assert.ErrorIs(t, s.SaveKeys(t.Context(), []byte("x"), "wrong"), jwks.ErrConflict)
	require.NoError(t, s.SaveKeys(t.Context(), []byte("one"), ""))
	assert.ErrorIs(t, s.SaveKeys(t.Context(), []byte("x"), ""), jwks.ErrConflict)
	state, one, err := s.LoadKeys(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "one", string(state))
	require.NoError(t, s.SaveKeys(t.Context(), []byte("two"), one))
	assert.ErrorIs(t, s.SaveKeys(t.Context(), []byte("x"), one), jwks.ErrConflict)

	// Of many who saw the same state exactly one replaces it, each time.
	for round := range 5 {
		_, version, err := s.LoadKeys(t.Context())
		require.NoError(t, err)
		var wg sync.WaitGroup
		won := make(chan int, 8)
		for i := range 8 {
			wg.Go(func() {
				err := s.SaveKeys(t.Context(), fmt.Appendf(nil, "round %d by %d", round, i), version)
				if err == nil {
					won <- i
				} else {
					assert.ErrorIs(t, err, jwks.ErrConflict)
				}
			})
		}
		wg.Wait()
		assert.Len(t, won, 1)
	}
}

func kid(t testing.TB, s *redisstore.Store) string {
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

// sealed reads what is in Redis.
func sealed(t testing.TB, cfg redisstore.Config) []byte {
	t.Helper()
	raw, err := cfg.Client.HGet(t.Context(), cfg.Prefix+"signing", "sealed").Bytes()
	require.NoError(t, err)
	return raw
}

func TestSigningKeysAreSealed(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	signs := kid(t, s)
	state, _, err := s.LoadKeys(t.Context())
	require.NoError(t, err)
	require.True(t, json.Valid(state))
	raw := sealed(t, cfg)
	assert.Equal(t, 1+12+len(state)+16, len(raw), "format, nonce, text, tag")
	for i := range len(state) - 8 {
		require.NotContains(t, string(raw), string(state[i:i+8]), "nothing of it is there in clear")
	}

	other := cfg
	other.SealKeys = [][]byte{[]byte("another key of thirty-two bytes.")}
	_, err = redisstore.Open(t.Context(), other)
	assert.ErrorIs(t, err, redisstore.ErrSealed)
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

func TestSealedKeysThatWereTamperedWith(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	require.NoError(t, s.SaveKeys(t.Context(), []byte("state"), ""))
	raw := sealed(t, cfg)
	flip := func(i int) []byte {
		b := []byte(string(raw))
		b[i] ^= 1
		return b
	}
	for _, row := range []struct {
		name  string
		value []byte
	}{
		{"nothing", nil}, {"another format", flip(0)}, {"another nonce", flip(1)}, {"another text", flip(13)}, {"another tag", flip(len(raw) - 1)},
		{"cut off", raw[:len(raw)-1]}, {"only the format", raw[:1]}, {"in clear", []byte("state")},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.NoError(t, cfg.Client.HSet(t.Context(), cfg.Prefix+"signing", "sealed", row.value).Err())
			state, version, err := s.LoadKeys(t.Context())
			assert.ErrorIs(t, err, redisstore.ErrSealed)
			assert.Empty(t, state)
			assert.Empty(t, version)
			_, err = redisstore.Open(t.Context(), cfg)
			assert.ErrorIs(t, err, redisstore.ErrSealed)
		})
	}
}
