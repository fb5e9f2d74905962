package pgstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/authserver"
)

// Grants lists active grants, newest first. See [authserver.Store].
func (s *Store) Grants(ctx context.Context, sel authserver.Selector, now time.Time, limit int) (found []authserver.Grant, err error) {
	if sel.IsZero() {
		return nil, errEmptySelector
	}
	condition, args := where(sel, []any{now.UnixMilli()})
	sql := fmt.Sprintf(`SELECT %s FROM %s WHERE %s AND revoked_at IS NULL AND expires_at > $1::bigint AND idle_expires_at > $1::bigint
		ORDER BY created_at DESC`, columns, s.sql.grants, condition)
	if limit > 0 {
		args = append(args, int64(limit))
		sql += fmt.Sprintf(" LIMIT $%d::bigint", len(args))
	}
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err == nil {
			found, err = pgx.CollectRows(rows, scan)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// revokeBatch is how many grants one statement revokes. One for all sessions of a large client would hold them all until it ends, and undo
// everything if it can't.
const revokeBatch = 1000

// Revoke marks every matching grant, a thousand with each statement; after an error some may be marked. See [authserver.Store].
func (s *Store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	if len(reason) > authserver.ReasonLength {
		return 0, errLongReason
	}
	args := []any{now.UnixMilli(), text(reason)}
	if sel.ID != "" {
		condition, args := where(sel, args)
		return s.revoke(ctx, condition, args)
	}
	ids, err := s.unrevoked(ctx, sel)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeoutFor(sel))
	defer cancel()
	for batch := range slices.Chunk(ids, revokeBatch) {
		m, err := s.revoke(ctx, "id = ANY ($3::text[])", append(args[:2:2], batch))
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// revoke is one statement.
func (s *Store) revoke(ctx context.Context, condition string, args []any) (int, error) {
	n, err := s.exec(ctx, s.timeout, fmt.Sprintf(`UPDATE %s SET revoked_at = $1::bigint, revoke_reason = $2::text,
		check_at = LEAST(check_at, GREATEST(LEAST(expires_at, idle_expires_at, $1::bigint), access_expires_at)) WHERE %s AND revoked_at IS NULL`,
		s.sql.grants, condition), args...)
	return int(n), err
}

// unrevoked returns the ids of the grants that a Revoke has to mark, in an order that is the same for two calls whose grants overlap: so
// they do not wait for each other in a circle. What the selector compares never changes.
func (s *Store) unrevoked(ctx context.Context, sel authserver.Selector) (ids []string, err error) {
	condition, args := where(sel, nil)
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, fmt.Sprintf("SELECT id FROM %s WHERE %s AND revoked_at IS NULL", s.sql.grants, condition), args...)
		if err == nil {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	slices.Sort(ids)
	return ids, err
}

// timeoutFor is longer for what may be all grants of a client.
func (s *Store) timeoutFor(sel authserver.Selector) time.Duration {
	if sel.ID == "" {
		return wide * s.timeout
	}
	return s.timeout
}
