package pgstore_test

import (
	"encoding/hex"
	"fmt"
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

func TestSealedKeys(t *testing.T) {
	storetest.RunSealedKeys(t, func(t *testing.T) storetest.SealedKeys { return sealedKeys(config(t)) })
}

func sealedKeys(cfg pgstore.Config) storetest.SealedKeys {
	return storetest.SealedKeys{
		Open: func(t *testing.T, sealKeys ...[]byte) (jwks.KeyStore, error) {
			cfg := cfg
			cfg.SealKeys = sealKeys
			s, err := pgstore.Open(t.Context(), cfg)
			if err == nil {
				t.Cleanup(func() { assert.NoError(t, s.Close()) })
			}
			return s, err
		},
		Read: func(t *testing.T) []byte {
			t.Helper()
			text := query(t, cfg.URL, "SELECT encode(sealed, 'hex') FROM "+table(cfg, "signing_keys"))
			require.Len(t, text, 1)
			sealed, err := hex.DecodeString(text[0])
			require.NoError(t, err)
			return sealed
		},
		Write: func(t *testing.T, sealed []byte) {
			t.Helper()
			query(t, cfg.URL, fmt.Sprintf("UPDATE %s SET sealed = '\\x%x'", table(cfg, "signing_keys"), sealed))
		},
	}
}
