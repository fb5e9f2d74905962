package pgstore

import (
	"context"
	"time"
)

// sweepLooks is how many rows a sweep looks at for each one that it may delete: most that it finds at first are grants whose code has
// been exchanged in the meantime, and those live on.
const sweepLooks = 64

// Sweep deletes what nothing can need any more, in batches of which each is one statement and skips rows that are in use. Any
// number of processes may sweep at once. See [authserver.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	for looked := 0; n < limit && looked < sweepLooks*limit; {
		var gone, kept int
		err := s.do(ctx, s.timeout, func(ctx context.Context) error {
			return s.pool.QueryRow(ctx, s.sql.sweepGrants, now.UnixMilli(), int64(limit-n)).Scan(&gone, &kept)
		})
		if err != nil {
			return n, err
		}
		n, looked = n+gone, looked+gone+kept
		if gone+kept == 0 {
			break
		}
	}
	if n < limit {
		gone, err := s.exec(ctx, s.timeout, s.sql.sweepOnce, now.UnixMilli(), int64(limit-n))
		return n + int(gone), err
	}
	return n, nil
}
