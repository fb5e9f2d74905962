package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

// Store is an [authserver.Store] and a [jwks.KeyStore] in PostgreSQL. Its methods may be called concurrently. They fail
// while the database cannot be reached, and work again once it can.
type Store struct {
	pool    *pgxpool.Pool
	keys    *jwks.SealedKeyStore
	sql     statements
	timeout time.Duration
}

var (
	_ authserver.Store = (*Store)(nil)
	_ jwks.KeyStore    = (*Store)(nil)
)

// Open connects to the database, creates or upgrades the schema, and checks that SealKeys can decrypt the signing keys
// in it. The context applies to Open alone. Open returns [jwks.ErrSealKey], [jwks.ErrSealed], [ErrSchemaTooNew] and
// errors of the connection, all wrapped.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, poolConfig, err := cfg.withDefaults()
	s := &Store{sql: newStatements(cfg.Schema), timeout: cfg.Timeout}
	var sealErr error
	if s.keys, sealErr = jwks.NewSealedKeyStore(sealedKeys{s}, cfg.SealKeys...); sealErr != nil {
		err = errors.Join(err, fmt.Errorf("pgstore: SealKeys: %w", sealErr))
	}
	if err != nil {
		return nil, err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, poolConfig); err != nil {
		return nil, fmt.Errorf("pgstore: %w", err)
	}
	if err := migrate(ctx, s.pool, cfg.Schema); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("pgstore: schema %q: %w", cfg.Schema, err)
	}
	if err := s.keys.Reseal(ctx); err != nil {
		s.pool.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for running calls and closes all connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Format implements [fmt.Formatter]. It prints no password and no key, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "pgstore.Store") }

// maxAttempts is how many times a statement runs at most, if each time it certainly had no effect.
const maxAttempts = 3

// do runs one statement within a timeout.
func (s *Store) do(ctx context.Context, timeout time.Duration, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	for range maxAttempts {
		if err = f(ctx); err == nil || !retryable(err) {
			break
		}
	}
	switch {
	case err == nil, errors.Is(err, authserver.ErrNotFound), errors.Is(err, authserver.ErrConflict),
		errors.Is(err, jwks.ErrConflict):
		return err
	}
	return fmt.Errorf("pgstore: %w", err)
}

// exec runs one statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, timeout time.Duration, sql string, args ...any) (n int64, err error) {
	err = s.do(ctx, timeout, func(ctx context.Context) error {
		tag, err := s.pool.Exec(ctx, sql, args...)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// timeoutFor is longer for a selector that may match all grants of a client.
func (s *Store) timeoutFor(sel authserver.Selector) time.Duration {
	if sel.ID == "" {
		return bulkTimeoutFactor * s.timeout
	}
	return s.timeout
}

// retryable reports whether a failed statement certainly changed nothing and may succeed next time. Either it was not
// sent, or the server rolled it back in favour of another (serialization_failure, deadlock_detected).
func retryable(err error) bool {
	return hasCode(err, "40001", "40P01") || pgconn.SafeToRetry(err)
}
