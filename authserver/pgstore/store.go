package pgstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/authserver"
)

var (
	errEmptySelector = errors.New("pgstore: an empty selector would match every grant")
	errLongReason    = fmt.Errorf("pgstore: the reason has more than %d bytes", authserver.ReasonLength)
)

// Create adds a grant. See [authserver.Store].
func (s *Store) Create(ctx context.Context, g authserver.Grant) error {
	n, err := s.exec(ctx, s.timeout, s.sql.create, append(values(&g), g.DisposableAt().UnixMilli())...)
	if err == nil && n == 0 {
		return fmt.Errorf("%w: grant id is taken", authserver.ErrConflict)
	}
	return err
}

// Grant returns the row as it is now. See [authserver.Store].
func (s *Store) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, s.sql.grant, id)
		if err == nil {
			g, err = pgx.CollectExactlyOneRow(rows, scan)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return authserver.ErrNotFound
		}
		return err
	})
	return g, err
}

// Advance is the atomic step. See [authserver.Store].
func (s *Store) Advance(ctx context.Context, step authserver.Step) error {
	n, err := s.exec(ctx, s.timeout, s.sql.advance, step.ID, int64(step.From), int64(step.To), step.Replay, step.Now.UnixMilli(),
		history(step.Now), millis(step.IdleExpiresAt), millis(step.AccessExpiresAt))
	if err != nil || n == 1 {
		return err
	}
	there := false // nothing was changed; all that is left to find out is why
	err = s.do(ctx, s.timeout, func(ctx context.Context) error { return s.pool.QueryRow(ctx, s.sql.exists, step.ID).Scan(&there) })
	switch {
	case err != nil:
		return err
	case there:
		return authserver.ErrConflict
	}
	return authserver.ErrNotFound
}

// Once remembers key until the given time. See [authserver.Store].
func (s *Store) Once(ctx context.Context, key string, now, until time.Time) error {
	sum := sha256.Sum256([]byte(key)) // an index entry has a limit, a key has none
	n, err := s.exec(ctx, s.timeout, s.sql.once, sum[:], until.UnixMilli(), now.UnixMilli())
	if err == nil && n == 0 {
		return authserver.ErrConflict
	}
	return err
}
