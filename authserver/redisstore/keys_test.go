package redisstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver/redisstore"
	"github.com/bearergate/bearergate/authserver/storetest"
	"github.com/bearergate/bearergate/jwks"
)

func TestKeyStore(t *testing.T) {
	storetest.RunKeys(t, func(t *testing.T) jwks.KeyStore { return open(t, config(t)) })
}

func TestSealedKeys(t *testing.T) {
	storetest.RunSealedKeys(t, func(t *testing.T) storetest.SealedKeys {
		cfg := config(t)
		key := cfg.Prefix + "signing"
		return storetest.SealedKeys{
			Open: func(t *testing.T, sealKeys ...[]byte) (jwks.KeyStore, error) {
				cfg := cfg
				cfg.SealKeys = sealKeys
				return redisstore.Open(t.Context(), cfg)
			},
			Read: func(t *testing.T) []byte {
				t.Helper()
				sealed, err := cfg.Client.HGet(t.Context(), key, "sealed").Bytes()
				require.NoError(t, err)
				return sealed
			},
			Write: func(t *testing.T, sealed []byte) {
				t.Helper()
				require.NoError(t, cfg.Client.HSet(t.Context(), key, "sealed", sealed).Err())
			},
		}
	})
}
