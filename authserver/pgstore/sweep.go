package pgstore

import (
	"context"
	"time"
)

// sweepLooks is how many rows a sweep looks at for each one that it may delete: most that it finds at first are grants whose code has
// been exchanged in the meantime, and those live on.
const sweepLooks = 64

// Sweep deletes what nothing can need any more, in statements that each look at no more than limit rows and skip those in use. Any
// number of processes may sweep at once. See [authserver.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	for looked := 0; n < limit && looked < sweepLooks*limit; {
		batch := int64(limit - n)
		gone, err := s.exec(ctx, s.timeout, s.sql.sweepGrants, now.UnixMilli(), batch)
		if err != nil {
			return n, err
		}
		n += int(gone)
		kept, err := s.exec(ctx, s.timeout, s.sql.postpone, now.UnixMilli(), batch)
		if err != nil {
			return n, err
		}
		if looked += int(gone + kept); gone+kept == 0 {
			break
		}
	}
	if n < limit {
		gone, err := s.exec(ctx, s.timeout, s.sql.sweepOnce, now.UnixMilli(), int64(limit-n))
		return n + int(gone), err
	}
	return n, nil
}
