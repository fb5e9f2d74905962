package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/authserver"
)

// Revoked lists revocations. See [authserver.Store].
func (s *Store) Revoked(ctx context.Context, since time.Time, after string, now time.Time, limit int) (found []authserver.Revocation, err error) {
	var most any // NULL: all
	if limit > 0 {
		most = int64(limit)
	}
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, s.sql.revoked, since.UnixMilli(), after, now.UnixMilli(), most)
		if err == nil {
			found, err = pgx.CollectRows(rows, revocation)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func revocation(row pgx.CollectableRow) (authserver.Revocation, error) {
	var r authserver.Revocation
	var at, end int64
	err := row.Scan(&r.ID, &at, &end)
	r.At, r.AccessExpiresAt = time.UnixMilli(at).UTC(), time.UnixMilli(end).UTC()
	return r, err
}
