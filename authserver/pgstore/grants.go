package pgstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/authserver"
)

var errEmptySelector = errors.New("pgstore: an empty selector would match every grant")

// Create adds a grant. See [authserver.Store].
func (s *Store) Create(ctx context.Context, g authserver.Grant) error {
	n, err := s.exec(ctx, s.timeout, s.sql.create, append(columnValues(&g), g.DisposableAt().UnixMilli())...)
	if err == nil && n == 0 {
		return fmt.Errorf("%w: grant ID is taken", authserver.ErrConflict)
	}
	return err
}

// Grant returns a grant as it is now. See [authserver.Store].
func (s *Store) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, s.sql.grant, id)
		if err == nil {
			g, err = pgx.CollectExactlyOneRow(rows, scanGrant)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return authserver.ErrNotFound
		}
		return err
	})
	return g, err
}

// Advance spends a code or a refresh token in one atomic step. See [authserver.Store].
func (s *Store) Advance(ctx context.Context, step authserver.Step) error {
	n, err := s.exec(ctx, s.timeout, s.sql.advance, step.ID, int64(step.From), int64(step.To), step.Replay,
		step.Now.UnixMilli(), encodeHistory(step.Now), millisOrNull(step.IdleExpiresAt), millisOrNull(step.AccessExpiresAt))
	if err != nil || n == 1 {
		return err
	}
	exists := false // nothing was changed; this only finds out why
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, s.sql.exists, step.ID).Scan(&exists)
	})
	switch {
	case err != nil:
		return err
	case exists:
		return authserver.ErrConflict
	}
	return authserver.ErrNotFound
}

// Grants lists active grants, newest first. See [authserver.Store].
func (s *Store) Grants(
	ctx context.Context, sel authserver.Selector, now time.Time, limit int,
) (found []authserver.Grant, err error) {
	if sel.IsZero() {
		return nil, errEmptySelector
	}
	condition, args := where(sel, []any{now.UnixMilli()})
	sql := fmt.Sprintf(`SELECT %s FROM %s WHERE %s AND revoked_at IS NULL AND expires_at > $1::bigint
		AND idle_expires_at > $1::bigint ORDER BY created_at DESC`, columns, s.sql.grants, condition)
	if limit > 0 {
		args = append(args, int64(limit))
		sql += fmt.Sprintf(" LIMIT $%d::bigint", len(args))
	}
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err == nil {
			found, err = pgx.CollectRows(rows, scanGrant)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// revokeBatch is how many grants one statement revokes. A single statement for all grants of a large client would lock
// them all until it ends, and undo everything if it fails.
const revokeBatch = 1000

// Revoke revokes every matching grant, a thousand per statement. After an error some may be revoked. See
// [authserver.Store].
func (s *Store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	if len(reason) > authserver.ReasonLength {
		return 0, fmt.Errorf("pgstore: reason has %d bytes, at most %d are allowed", len(reason), authserver.ReasonLength)
	}
	args := []any{now.UnixMilli(), textOrNull(reason)}
	if sel.ID != "" {
		condition, args := where(sel, args)
		return s.revokeWhere(ctx, condition, args)
	}
	ids, err := s.unrevokedIDs(ctx, sel)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeoutFor(sel))
	defer cancel()
	for batch := range slices.Chunk(ids, revokeBatch) {
		m, err := s.revokeWhere(ctx, "id = ANY ($3::text[])", append(args[:2:2], batch))
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// revokeWhere revokes the grants that match a condition, with one statement. Its first two arguments are the time and
// the reason.
func (s *Store) revokeWhere(ctx context.Context, condition string, args []any) (int, error) {
	n, err := s.exec(ctx, s.timeout, fmt.Sprintf(`UPDATE %s SET revoked_at = $1::bigint, revoke_reason = $2::text,
		check_at = LEAST(check_at, GREATEST(LEAST(expires_at, idle_expires_at, $1::bigint), access_expires_at))
		WHERE %s AND revoked_at IS NULL`, s.sql.grants, condition), args...)
	return int(n), err
}

// unrevokedIDs returns the IDs of the grants that Revoke has to change. The selector compares only columns that never
// change. The IDs are sorted, so that two calls whose grants overlap cannot deadlock.
func (s *Store) unrevokedIDs(ctx context.Context, sel authserver.Selector) (ids []string, err error) {
	condition, args := where(sel, nil)
	sql := fmt.Sprintf("SELECT id FROM %s WHERE %s AND revoked_at IS NULL", s.sql.grants, condition)
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err == nil {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	slices.Sort(ids)
	return ids, err
}

// Revoked lists revocations. See [authserver.Store].
func (s *Store) Revoked(
	ctx context.Context, since time.Time, after string, now time.Time, limit int,
) (found []authserver.Revocation, err error) {
	var sqlLimit any // NULL: no limit
	if limit > 0 {
		sqlLimit = int64(limit)
	}
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, s.sql.revoked, since.UnixMilli(), after, now.UnixMilli(), sqlLimit)
		if err == nil {
			found, err = pgx.CollectRows(rows, scanRevocation)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Once stores key until the given time. See [authserver.Store].
func (s *Store) Once(ctx context.Context, key string, now, until time.Time) error {
	sum := sha256.Sum256([]byte(key)) // the length of an index entry is limited, that of a key is not
	n, err := s.exec(ctx, s.timeout, s.sql.once, sum[:], until.UnixMilli(), now.UnixMilli())
	if err == nil && n == 0 {
		return authserver.ErrConflict
	}
	return err
}

// checksPerDeletion is how many rows Sweep checks at most for each one that it may delete. Most rows that it finds
// first are grants whose code has been exchanged meanwhile, and these live on.
const checksPerDeletion = 64

// Sweep deletes what nothing can need any more. Its statements each check at most limit rows and skip rows in use. Any
// number of processes may sweep at once. See [authserver.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	for checked := 0; n < limit && checked < checksPerDeletion*limit; {
		batch := int64(limit - n)
		deleted, err := s.exec(ctx, s.timeout, s.sql.sweepGrants, now.UnixMilli(), batch)
		if err != nil {
			return n, err
		}
		n += int(deleted)
		postponed, err := s.exec(ctx, s.timeout, s.sql.postponeChecks, now.UnixMilli(), batch)
		if err != nil {
			return n, err
		}
		if checked += int(deleted + postponed); deleted+postponed == 0 {
			break
		}
	}
	if n < limit {
		deleted, err := s.exec(ctx, s.timeout, s.sql.sweepOnce, now.UnixMilli(), int64(limit-n))
		return n + int(deleted), err
	}
	return n, nil
}
