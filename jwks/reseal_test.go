package jwks_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

func TestSealedKeyStoreWithSeveralKeys(t *testing.T) {
	ctx := context.Background()
	for _, row := range []struct {
		name string
		keys [][]byte
		anew bool // Reseal seals it anew
		want error
	}{
		{"the key that sealed it", [][]byte{sealKey}, false, nil},
		{"another key as second", [][]byte{sealKey, otherSealKey}, false, nil},
		{"another key as first", [][]byte{otherSealKey, sealKey}, true, nil},
		{"another key alone", [][]byte{otherSealKey}, false, jwks.ErrSealed},
	} {
		t.Run(row.name, func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			put(t, sealedStore(t, store, sealKey), []byte("state"))
			before := load(t, store)
			s := sealedStore(t, store, row.keys...)
			state, _, err := s.LoadKeys(ctx)
			assert.ErrorIs(t, err, row.want)
			if row.want == nil {
				assert.Equal(t, "state", string(state))
			}
			assert.Equal(t, before, load(t, store), "who only reads changes nothing")
			assert.ErrorIs(t, s.Reseal(ctx), row.want)
			assert.Equal(t, row.anew, !bytes.Equal(before, load(t, store)))
			if row.anew {
				assert.Equal(t, "state", string(load(t, sealedStore(t, store, otherSealKey))), "the old key can go")
				_, _, err := sealedStore(t, store, sealKey).LoadKeys(ctx)
				assert.ErrorIs(t, err, jwks.ErrSealed)
			}
			after := load(t, store)
			assert.ErrorIs(t, s.Reseal(ctx), row.want)
			assert.Equal(t, after, load(t, store), "once is enough")
		})
	}
}

// overtakenStore lets somebody else save first, once.
type overtakenStore struct {
	jwks.MemoryKeyStore
	overtake func()
}

func (o *overtakenStore) SaveKeys(ctx context.Context, state []byte, version string) error {
	if f := o.overtake; f != nil {
		o.overtake = nil
		f()
	}
	return o.MemoryKeyStore.SaveKeys(ctx, state, version)
}

func TestReseal(t *testing.T) {
	ctx := context.Background()
	runScenarios(t, []scenario{
		{"nothing has been saved yet", func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			require.NoError(t, sealedStore(t, store, sealKey).Reseal(ctx))
			_, version, err := store.LoadKeys(ctx)
			require.NoError(t, err)
			assert.Empty(t, version)
		}},
		{"many nodes start with a new key at once", func(t *testing.T) {
			store := jwks.FileKeyStore(filepath.Join(t.TempDir(), "keys"))
			put(t, sealedStore(t, store, sealKey), []byte("state"))
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { assert.NoError(t, sealedStore(t, store, otherSealKey, sealKey).Reseal(ctx)) })
			}
			wg.Wait()
			assert.Equal(t, "state", string(load(t, sealedStore(t, store, otherSealKey))))
		}},
		{"a node that seals with the old key saves in between", func(t *testing.T) {
			store := &overtakenStore{}
			old := sealedStore(t, &store.MemoryKeyStore, sealKey)
			put(t, old, []byte("before"))
			store.overtake = func() { put(t, old, []byte("rotated")) }
			require.NoError(t, sealedStore(t, store, otherSealKey, sealKey).Reseal(ctx))
			assert.Equal(t, "rotated", string(load(t, sealedStore(t, store, otherSealKey))))
		}},
		{"every save conflicts", func(t *testing.T) {
			store := &busyStore{}
			put(t, sealedStore(t, &store.MemoryKeyStore, sealKey), []byte("state"))
			assert.ErrorIs(t, sealedStore(t, store, otherSealKey, sealKey).Reseal(ctx), jwks.ErrConflict)
		}},
		{"a store that may only be read", func(t *testing.T) {
			store := &readOnlyStore{}
			put(t, sealedStore(t, &store.MemoryKeyStore, sealKey), []byte("state"))
			s := sealedStore(t, store, otherSealKey, sealKey)
			assert.ErrorIs(t, s.Reseal(ctx), errReadOnly)
			assert.Equal(t, "state", string(load(t, s)))
		}},
		{"a store that fails", func(t *testing.T) {
			broken := errors.New("disk on fire")
			s := sealedStore(t, &flakyStore{fail: broken}, sealKey)
			assert.ErrorIs(t, s.Reseal(ctx), broken)
			assert.NotErrorIs(t, s.Reseal(ctx), jwks.ErrSealed)
			_, _, err := s.LoadKeys(ctx)
			assert.ErrorIs(t, err, broken)
		}},
	})
}

func TestRotatorOverASealedStore(t *testing.T) {
	ctx := context.Background()
	runScenarios(t, []scenario{
		{"the file is of no use without the seal key", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.sealed")
			s := sealedStore(t, jwks.FileKeyStore(path), sealKey)
			r := newRotator(t, jwks.RotatorConfig{Store: s})
			token := sign(t, r)
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, secret := range secrets(t, s) {
				assert.NotContains(t, string(raw), secret)
			}
			assert.NotContains(t, string(raw), kidOf(t, token))
			for name, store := range map[string]jwks.KeyStore{
				"in clear": jwks.FileKeyStore(path), "with another key": sealedStore(t, jwks.FileKeyStore(path), otherSealKey),
			} {
				err := newRotator(t, jwks.RotatorConfig{Store: store}).Ready(ctx)
				assert.ErrorIs(t, err, jwks.ErrUnavailable, name)
				now, err := os.ReadFile(path)
				require.NoError(t, err)
				assert.Equal(t, raw, now, "left as it is")
			}
		}},
		{"a file that is suddenly empty is not taken for a new one", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.sealed")
			s := sealedStore(t, jwks.FileKeyStore(path), sealKey)
			r := newRotator(t, jwks.RotatorConfig{Store: s})
			kid := kidOf(t, sign(t, r))
			require.NoError(t, os.Truncate(path, 0))
			assert.ErrorIs(t, newRotator(t, jwks.RotatorConfig{Store: s}).Ready(ctx), jwks.ErrSealed)
			time.Sleep(time.Minute)
			assert.Equal(t, kid, kidOf(t, sign(t, r)), "who has the keys goes on")
		}},
		{"keys of somebody who can write to the store but has no seal key", func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			r := newRotator(t, jwks.RotatorConfig{Store: sealedStore(t, store, sealKey)})
			kids := published(t, r)
			put(t, store, []byte(stored(t, "ES256", ecSigner(t), 0, 5)))
			time.Sleep(time.Minute)
			assert.Equal(t, kids, published(t, r))
			assert.Equal(t, kids[0], kidOf(t, sign(t, r)))
		}},
		{"the seal key is rotated, node by node", func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			start := func(keys ...[]byte) *jwks.Rotator {
				s := sealedStore(t, store, keys...)
				require.NoError(t, s.Reseal(ctx))
				return newRotator(t, jwks.RotatorConfig{Store: s})
			}
			a, b := start(sealKey), start(sealKey)
			tokens := []string{sign(t, a), sign(t, b)}
			for _, keys := range [][][]byte{{sealKey, otherSealKey}, {otherSealKey, sealKey}, {otherSealKey}} {
				for _, node := range []**jwks.Rotator{&a, &b} {
					*node = start(keys...)
					require.NoError(t, (*node).Rotate(ctx))
					time.Sleep(time.Minute)
					tokens = append(tokens, sign(t, a), sign(t, b))
					for _, r := range []*jwks.Rotator{a, b} {
						for _, token := range tokens {
							_, err := verify(r, token)
							require.NoError(t, err)
						}
					}
				}
			}
		}},
		{"from clear to sealed", func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			running := newRotator(t, jwks.RotatorConfig{Store: store})
			token := sign(t, running)
			sealed := sealedStore(t, store, sealKey)
			assert.ErrorContains(t, sealed.Reseal(ctx), "in clear", "nothing is sealed by itself")

			state, version, err := store.LoadKeys(ctx)
			require.NoError(t, err)
			require.NoError(t, sealed.SaveKeys(ctx, state, version))
			r := newRotator(t, jwks.RotatorConfig{Store: sealed})
			_, err = verify(r, token)
			require.NoError(t, err)
			assert.Equal(t, kidOf(t, token), kidOf(t, sign(t, r)))

			at := load(t, store)
			for range 100 { // until long after the time to rotate
				_, err := verify(running, sign(t, running))
				require.NoError(t, err, "who has no key goes on with what it has")
				time.Sleep(24 * time.Hour)
			}
			assert.Error(t, running.Rotate(ctx))
			assert.ErrorIs(t, newRotator(t, jwks.RotatorConfig{Store: store}).Ready(ctx), jwks.ErrUnavailable)
			assert.Equal(t, at, load(t, store), "and leaves the sealed state as it is")
		}},
		{"the keys that were in clear are gone after two rotations and the lifetime of a token", func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			before := published(t, newRotator(t, jwks.RotatorConfig{Store: store}))
			require.Len(t, before, 2)
			sealed := sealedStore(t, store, sealKey)
			state, version, err := store.LoadKeys(ctx)
			require.NoError(t, err)
			require.NoError(t, sealed.SaveKeys(ctx, state, version))
			r := newRotator(t, jwks.RotatorConfig{Store: sealed})
			for range 2 {
				require.NoError(t, r.Rotate(ctx))
				time.Sleep(2 * time.Hour)
			}
			for _, kid := range published(t, r) {
				assert.NotContains(t, before, kid)
			}
		}},
	})
}
