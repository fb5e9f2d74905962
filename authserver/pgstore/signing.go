package pgstore

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/jwks"
)

// LoadKeys opens the signing keys' state and returns it. Errors: [jwks.ErrSealed]. See [jwks.KeyStore].
func (s *Store) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	return s.keys.LoadKeys(ctx)
}

// SaveKeys seals the signing keys' state and replaces what is there. See [jwks.KeyStore].
func (s *Store) SaveKeys(ctx context.Context, state []byte, version string) error {
	return s.keys.SaveKeys(ctx, state, version)
}

// rawKeys is the table of signing keys as it is: what a [jwks.SealedKeyStore] keeps there.
type rawKeys struct{ s *Store }

func (r rawKeys) LoadKeys(ctx context.Context) (sealed []byte, version string, err error) {
	err = r.s.do(ctx, r.s.timeout, func(ctx context.Context) error {
		err := r.s.pool.QueryRow(ctx, r.s.sql.loadKeys).Scan(&version, &sealed)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return sealed, version, err
}

func (r rawKeys) SaveKeys(ctx context.Context, sealed []byte, version string) error {
	// Random, so that a state which an operator has put back never has the version of one that came between.
	sql, args := r.s.sql.firstKeys, []any{rand.Text(), sealed}
	if version != "" {
		sql, args = r.s.sql.nextKeys, append(args, version)
	}
	n, err := r.s.exec(ctx, r.s.timeout, sql, args...)
	if err == nil && n == 0 {
		return jwks.ErrConflict
	}
	return err
}
