package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/bearergate/bearergate/jwks"
)

func (s *Store) signing() string { return s.prefix + "signing" }

// LoadKeys returns the signing keys' state. Errors: ErrSealed. See [jwks.KeyStore].
func (s *Store) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	state, version, _, err = s.loadKeys(ctx)
	return state, version, err
}

// SaveKeys seals the signing keys' state and replaces what is there. See [jwks.KeyStore].
func (s *Store) SaveKeys(ctx context.Context, state []byte, version string) error {
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		// Random, so that a state which an operator has put back never has the version of one that came between.
		saved, err := s.run(ctx, keysScript, s.signing(), version, rand.Text(), s.seal.seal(state)).Int()
		if err == nil && saved == 0 {
			return jwks.ErrConflict
		}
		return err
	})
}

func (s *Store) loadKeys(ctx context.Context) (state []byte, version string, first bool, err error) {
	var sealed string
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		fields, err := s.client.HMGet(ctx, s.signing(), "version", "sealed").Result()
		if err != nil {
			return err
		}
		version, _ = fields[0].(string)
		sealed, _ = fields[1].(string)
		return nil
	})
	if err != nil || version == "" {
		return nil, "", true, err
	}
	if state, first, err = s.seal.open([]byte(sealed)); err != nil {
		return nil, "", false, err
	}
	return state, version, first, nil
}

// reseal brings the signing keys under the first of the keys to seal with, so that an old one can be dropped.
func (s *Store) reseal(ctx context.Context) error {
	state, version, first, err := s.loadKeys(ctx)
	if err != nil || first {
		return err
	}
	if err := s.SaveKeys(ctx, state, version); err != nil && !errors.Is(err, jwks.ErrConflict) {
		return fmt.Errorf("sealing again: %w", err)
	}
	return nil
}
