package storetest_test

import (
	"path/filepath"
	"testing"

	"github.com/bearergate/bearergate/authserver/storetest"
	"github.com/bearergate/bearergate/jwks"
)

// The stores of package jwks are tested here, since jwks may not import this package.
func TestKeyStores(t *testing.T) {
	memory := func(*testing.T) jwks.KeyStore { return new(jwks.MemoryKeyStore) }
	file := func(t *testing.T) jwks.KeyStore { return jwks.FileKeyStore(filepath.Join(t.TempDir(), "keys")) }
	sealed := func(open func(*testing.T) jwks.KeyStore) func(*testing.T) jwks.KeyStore {
		return func(t *testing.T) jwks.KeyStore {
			s, err := jwks.NewSealedKeyStore(open(t), make([]byte, 32))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	for _, row := range []struct {
		name string
		open func(t *testing.T) jwks.KeyStore
	}{
		{"memory", memory}, {"file", file}, {"sealed in memory", sealed(memory)}, {"sealed in a file", sealed(file)},
	} {
		t.Run(row.name, func(t *testing.T) { storetest.RunKeys(t, row.open) })
	}
}

// The test of a store of signing keys is one call, too.
func ExampleRunKeys() {
	test := func(t *testing.T) {
		storetest.RunKeys(t, func(t *testing.T) jwks.KeyStore {
			return jwks.FileKeyStore(filepath.Join(t.TempDir(), "keys.json")) // or yours, opened for this one test
		})
	}
	_ = test // named TestKeyStore in a _test.go file
}
