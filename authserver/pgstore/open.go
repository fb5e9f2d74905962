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

// Store is an [authserver.Store] and a [jwks.KeyStore] in PostgreSQL. All methods are safe for concurrent use. When the database
// can't be reached they fail; when it can again they work again.
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

// Open connects, brings the schema up to date, and makes sure that the signing keys in it can be opened. The context is for Open
// alone. Errors: [jwks.ErrSealKey], [jwks.ErrSealed], ErrSchemaTooNew and those of the connection, all wrapped.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, poolConfig, err := cfg.withDefaults()
	s := &Store{sql: newStatements(cfg.Schema), timeout: cfg.Timeout}
	var sealErr error
	if s.keys, sealErr = jwks.NewSealedKeyStore(rawKeys{s}, cfg.SealKeys...); sealErr != nil {
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

// Format implements [fmt.Formatter]: whatever the verb, no password and no key is printed.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "pgstore.Store") }

// attempts is how often a statement is tried of which it is known that it has done nothing.
const attempts = 3

// do runs one statement within the time that it may take.
func (s *Store) do(ctx context.Context, timeout time.Duration, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	for range attempts {
		if err = f(ctx); err == nil || !undone(err) {
			break
		}
	}
	switch {
	case err == nil, errors.Is(err, authserver.ErrNotFound), errors.Is(err, authserver.ErrConflict), errors.Is(err, jwks.ErrConflict):
		return err
	}
	return fmt.Errorf("pgstore: %w", err)
}

// exec runs one statement that changes rows and returns how many.
func (s *Store) exec(ctx context.Context, timeout time.Duration, sql string, args ...any) (n int64, err error) {
	err = s.do(ctx, timeout, func(ctx context.Context) error {
		tag, err := s.pool.Exec(ctx, sql, args...)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// undone tells whether it is certain that a failed statement has changed nothing and may go through next time: it was not sent, or the
// server has rolled it back for the sake of another (serialization_failure, deadlock_detected).
func undone(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code == "40001" || e.Code == "40P01"
	}
	return pgconn.SafeToRetry(err)
}
