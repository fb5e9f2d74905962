package pgstore

import (
	"context"
	"fmt"
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

// Revoke marks every matching grant. See [authserver.Store].
func (s *Store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (int, error) {
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	condition, args := where(sel, []any{now.UnixMilli(), text(reason)})
	condition += " AND revoked_at IS NULL"
	if sel.ID == "" {
		// Two calls whose rows overlap lock them in the same order, and so never wait for each other in a circle. An array, and not
		// IN: with that the planner may read the whole table.
		condition = fmt.Sprintf("id = ANY (ARRAY(SELECT id FROM %s WHERE %s ORDER BY id FOR UPDATE))", s.sql.grants, condition)
	}
	n, err := s.exec(ctx, s.timeoutFor(sel), fmt.Sprintf(`UPDATE %s SET revoked_at = $1::bigint, revoke_reason = $2::text,
		check_at = LEAST(check_at, GREATEST(LEAST(expires_at, idle_expires_at, $1::bigint), access_expires_at)) WHERE %s`,
		s.sql.grants, condition), args...)
	return int(n), err
}

// timeoutFor is longer for what may be all grants of a client.
func (s *Store) timeoutFor(sel authserver.Selector) time.Duration {
	if sel.ID == "" {
		return wide * s.timeout
	}
	return s.timeout
}
