package boltstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/jwks"
)

var signingState = []byte("state")

// LoadKeys returns the signing keys' state. See [jwks.KeyStore].
func (s *Store) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		state = slices.Clone(tx.Bucket(bucketSigning).Get(signingState))
		return nil
	})
	return state, stateVersion(state), err
}

// SaveKeys replaces the signing keys' state. See [jwks.KeyStore].
func (s *Store) SaveKeys(ctx context.Context, state []byte, version string) error {
	return s.write(ctx, func(tx *bbolt.Tx) (outcome, broken error) {
		b := tx.Bucket(bucketSigning)
		if stateVersion(b.Get(signingState)) != version {
			return jwks.ErrConflict, nil
		}
		return nil, b.Put(signingState, state)
	})
}

func stateVersion(state []byte) string {
	if len(state) == 0 {
		return ""
	}
	sum := sha256.Sum256(state)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
