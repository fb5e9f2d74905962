package redisstore

import (
	"context"
	"crypto/rand"

	"github.com/bearergate/bearergate/jwks"
)

func (s *Store) signing() string { return s.prefix + "signing" }

// LoadKeys opens the signing keys' state and returns it. Errors: [jwks.ErrSealed]. See [jwks.KeyStore].
func (s *Store) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	return s.keys.LoadKeys(ctx)
}

// SaveKeys seals the signing keys' state and replaces what is there. See [jwks.KeyStore].
func (s *Store) SaveKeys(ctx context.Context, state []byte, version string) error {
	return s.keys.SaveKeys(ctx, state, version)
}

// rawKeys is the hash of signing keys as it is: what a [jwks.SealedKeyStore] keeps there.
type rawKeys struct{ s *Store }

func (r rawKeys) LoadKeys(ctx context.Context) (sealed []byte, version string, err error) {
	err = r.s.do(ctx, r.s.timeout, func(ctx context.Context) error {
		fields, err := r.s.client.HMGet(ctx, r.s.signing(), "version", "sealed").Result()
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

func (r rawKeys) SaveKeys(ctx context.Context, sealed []byte, version string) error {
	return r.s.do(ctx, r.s.timeout, func(ctx context.Context) error {
		// Random, so that a state which an operator has put back never has the version of one that came between.
		saved, err := r.s.run(ctx, keysScript, r.s.signing(), version, rand.Text(), sealed).Int()
		if err == nil && saved == 0 {
			return jwks.ErrConflict
		}
		return err
	})
}
