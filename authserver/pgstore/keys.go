package pgstore

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

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

// sealedKeys is the table of signing keys, in which a [jwks.SealedKeyStore] keeps their encrypted state.
type sealedKeys struct{ s *Store }

func (k sealedKeys) LoadKeys(ctx context.Context) (sealed []byte, version string, err error) {
	err = k.s.do(ctx, k.s.timeout, func(ctx context.Context) error {
		err := k.s.pool.QueryRow(ctx, k.s.sql.loadKeys).Scan(&version, &sealed)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return sealed, version, err
}

func (k sealedKeys) SaveKeys(ctx context.Context, sealed []byte, version string) error {
	// Versions are random, so that a state which an operator restores never has the version of a later one.
	sql, args := k.s.sql.insertKeys, []any{rand.Text(), sealed}
	if version != "" {
		sql, args = k.s.sql.replaceKeys, append(args, version)
	}
	n, err := k.s.exec(ctx, k.s.timeout, sql, args...)
	if err == nil && n == 0 {
		return jwks.ErrConflict
	}
	return err
}
