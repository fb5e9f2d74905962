package jwks_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// keyStores are the stores of this package, the sealed one over both of the others.
var keyStores = map[string]func(t *testing.T) jwks.KeyStore{
	"memory": func(*testing.T) jwks.KeyStore { return new(jwks.MemoryKeyStore) },
	"file": func(t *testing.T) jwks.KeyStore {
		return jwks.FileKeyStore(filepath.Join(t.TempDir(), "deep", "down", "keys.json"))
	},
	"sealed in memory": func(t *testing.T) jwks.KeyStore { return sealedStore(t, new(jwks.MemoryKeyStore), sealKey) },
	"sealed in a file": func(t *testing.T) jwks.KeyStore {
		return sealedStore(t, jwks.FileKeyStore(filepath.Join(t.TempDir(), "deep", "down", "keys.sealed")), sealKey)
	},
}

// TestKeyStores holds all stores to the contract.
func TestKeyStores(t *testing.T) {
	for name, open := range keyStores {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			store := open(t)
			state, none, err := store.LoadKeys(ctx)
			require.NoError(t, err)
			assert.Empty(t, state)
			assert.Empty(t, none)
			assert.ErrorIs(t, store.SaveKeys(ctx, []byte("x"), "wrong"), jwks.ErrConflict)
			require.NoError(t, store.SaveKeys(ctx, []byte("one"), ""))
			assert.ErrorIs(t, store.SaveKeys(ctx, []byte("x"), ""), jwks.ErrConflict)
			state, one, err := store.LoadKeys(ctx)
			require.NoError(t, err)
			assert.Equal(t, "one", string(state))
			state[0] = 'X' // ours to change
			require.NoError(t, store.SaveKeys(ctx, []byte("two"), one))
			assert.ErrorIs(t, store.SaveKeys(ctx, []byte("x"), one), jwks.ErrConflict)
			state, two, err := store.LoadKeys(ctx)
			require.NoError(t, err)
			assert.Equal(t, "two", string(state))
			assert.NotEqual(t, one, two)

			ended, cancel := context.WithCancel(ctx)
			cancel()
			assert.ErrorIs(t, store.SaveKeys(ended, []byte("x"), two), context.Canceled)
			require.NoError(t, store.SaveKeys(ctx, []byte("three"), two), "nothing was changed")

			// Of many who saw the same state exactly one replaces it, each time.
			for round := range 10 {
				_, version, err := store.LoadKeys(ctx)
				require.NoError(t, err)
				var wg sync.WaitGroup
				var mu sync.Mutex
				won := 0
				for i := range 8 {
					wg.Go(func() {
						err := store.SaveKeys(ctx, fmt.Appendf(nil, "round %d by %d", round, i), version)
						mu.Lock()
						defer mu.Unlock()
						if err == nil {
							won++
						} else {
							assert.ErrorIs(t, err, jwks.ErrConflict)
						}
					})
				}
				wg.Wait()
				assert.Equal(t, 1, won)
			}
		})
	}
}

// TestRotatorOverEachKeyStore: nodes with one store sign with one key, and what they have signed is accepted after a restart.
func TestRotatorOverEachKeyStore(t *testing.T) {
	for name, open := range keyStores {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			store := open(t)
			now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			node := func() *jwks.Rotator {
				return newRotator(t, jwks.RotatorConfig{Store: store, Now: func() time.Time { return now }})
			}
			nodes := []*jwks.Rotator{node(), node(), node(), node()}
			tokens := make([]string, len(nodes))
			var wg sync.WaitGroup
			for i, r := range nodes {
				wg.Go(func() { tokens[i] = sign(t, r) })
			}
			wg.Wait()
			for _, token := range tokens {
				assert.Equal(t, kidOf(t, tokens[0]), kidOf(t, token))
				_, err := verify(node(), token)
				assert.NoError(t, err, "after a restart")
			}
			require.NoError(t, nodes[0].Rotate(ctx))
			now = now.Add(10 * time.Second) // the others look again
			for _, r := range append(nodes, node()) {
				assert.Equal(t, kidOf(t, sign(t, nodes[0])), kidOf(t, sign(t, r)))
				_, err := verify(r, tokens[0])
				assert.NoError(t, err, "with the key of before")
			}
			assert.NotEqual(t, kidOf(t, tokens[0]), kidOf(t, sign(t, nodes[0])))
		})
	}
}
