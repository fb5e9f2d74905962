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

// storedKeys reads the form in which keys are kept.
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

// secrets are the private keys of a store, as text.
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

func TestFileKeyStoreTrouble(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	assert.Error(t, jwks.FileKeyStore(dir).SaveKeys(ctx, []byte("x"), ""), "a directory")
	_, _, err := jwks.FileKeyStore(dir).LoadKeys(ctx)
	assert.ErrorContains(t, err, "jwks: key file: ")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	assert.ErrorContains(t, jwks.FileKeyStore(filepath.Join(file, "below")).SaveKeys(ctx, []byte("x"), ""), "jwks: key file: ")
}

// TestFileKeyStoreProcesses lets several processes share a file: this test starts itself a few times.
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
