package jwks_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// keyStores has the stores of this package, the sealed one over both of the others.
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

// TestKeyStores tests the contract with every store.
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

// TestRotatorOverEachKeyStore: nodes that share a store sign with one key, and their tokens are accepted after a
// restart.
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

// storedKeys reads the stored format.
func storedKeys(t testing.TB, state []byte) (pkcs8 []string) {
	t.Helper()
	var stored struct {
		Format int
		Keys   []struct {
			Kid, Alg, PKCS8 string
			Activates       time.Time
		}
	}
	require.NoError(t, json.Unmarshal(state, &stored))
	require.Equal(t, 1, stored.Format)
	for _, k := range stored.Keys {
		pkcs8 = append(pkcs8, k.PKCS8)
	}
	return pkcs8
}

func parsePKCS8(t testing.TB, state []byte) crypto.Signer {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(storedKeys(t, state)[0])
	require.NoError(t, err)
	private, err := x509.ParsePKCS8PrivateKey(der)
	require.NoError(t, err)
	return private.(crypto.Signer)
}

// secrets returns the private keys of a store, as text.
func secrets(t testing.TB, store jwks.KeyStore) []string {
	t.Helper()
	state, _, err := store.LoadKeys(context.Background())
	require.NoError(t, err)
	all := storedKeys(t, state)
	require.NotEmpty(t, all)
	return all
}

func ecSigner(t testing.TB) crypto.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return private
}

func TestFileKeyStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "private", "keys.json")
	r := newRotator(t, jwks.RotatorConfig{Store: jwks.FileKeyStore(path)})
	token := sign(t, r)
	require.NoError(t, r.Rotate(context.Background()))
	if runtime.GOOS != "windows" {
		for name, mode := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + ".lock": 0o600} {
			info, err := os.Stat(name)
			require.NoError(t, err)
			assert.Equal(t, mode, info.Mode().Perm(), name)
		}
		// A file that was made too open by somebody else is not, once it was replaced.
		require.NoError(t, os.Chmod(path, 0o644))
		require.NoError(t, r.Rotate(context.Background()))
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 2, "no temporary file is left")
	_, err = verify(newRotator(t, jwks.RotatorConfig{Store: jwks.FileKeyStore(path)}), token)
	assert.NoError(t, err, "after a restart")
}

func TestFileKeyStoreErrors(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	assert.Error(t, jwks.FileKeyStore(dir).SaveKeys(ctx, []byte("x"), ""), "a directory")
	_, _, err := jwks.FileKeyStore(dir).LoadKeys(ctx)
	assert.ErrorContains(t, err, "jwks: key file: ")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	assert.ErrorContains(t, jwks.FileKeyStore(filepath.Join(file, "below")).SaveKeys(ctx, []byte("x"), ""), "jwks: key file: ")
}

// TestFileKeyStoreProcesses lets several processes share a file: the test starts itself a few times.
func TestFileKeyStoreProcesses(t *testing.T) {
	const name = "BEARERGATE_TEST_KEY_FILE"
	if path := os.Getenv(name); path != "" {
		r := newRotator(t, jwks.RotatorConfig{Store: jwks.FileKeyStore(path)})
		fmt.Println("kid", kidOf(t, sign(t, r)))
		return
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[string]int{}
	for range 4 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileKeyStoreProcesses$")
			cmd.Env = append(os.Environ(), name+"="+path)
			out, err := cmd.Output()
			if assert.NoError(t, err) {
				var kid string
				_, err = fmt.Sscanf(string(out), "kid %s", &kid)
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				answers[kid]++
			}
		})
	}
	wg.Wait()
	assert.Len(t, answers, 1, "all signed with the same key")
}
