package redisstore

import (
	"context"
	"crypto/rand"

	"github.com/bearergate/bearergate/jwks"
)

// LoadKeys returns the decrypted state of the signing keys. It returns [jwks.ErrSealed] if no key in SealKeys can
// decrypt it. See [jwks.KeyStore].
func (s *Store) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	return s.keys.LoadKeys(ctx)
}

// SaveKeys encrypts the state of the signing keys and replaces the stored one. See [jwks.KeyStore].
func (s *Store) SaveKeys(ctx context.Context, state []byte, version string) error {
	return s.keys.SaveKeys(ctx, state, version)
}

// sealedKeys is the hash of signing keys, in which a [jwks.SealedKeyStore] keeps their encrypted state.
type sealedKeys struct{ s *Store }

func (s *Store) signingKey() string { return s.prefix + "signing" }

func (k sealedKeys) LoadKeys(ctx context.Context) (sealed []byte, version string, err error) {
	err = k.s.do(ctx, k.s.timeout, func(ctx context.Context) error {
		fields, err := k.s.client.HMGet(ctx, k.s.signingKey(), "version", "sealed").Result()
		if err != nil {
			return err
		}
		version, _ = fields[0].(string)
		text, _ := fields[1].(string)
		sealed = []byte(text)
		return nil
	})
	return sealed, version, err
}

func (k sealedKeys) SaveKeys(ctx context.Context, sealed []byte, version string) error {
	return k.s.do(ctx, k.s.timeout, func(ctx context.Context) error {
		// Versions are random, so that a state which an operator restores never has the version of a later one.
		saved, err := k.s.run(ctx, saveKeysScript, k.s.signingKey(), version, rand.Text(), sealed).Int()
		if err == nil && saved == 0 {
			return jwks.ErrConflict
		}
		return err
	})
}
