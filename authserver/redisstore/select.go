package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
)

// Grants lists active grants, newest first. See [authserver.Store].
func (s *Store) Grants(ctx context.Context, sel authserver.Selector, now time.Time, limit int) (found []authserver.Grant, err error) {
	if sel.IsZero() {
		return nil, errEmptySelector
	}
	newest := func(a, b authserver.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) }
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		return s.each(ctx, sel, func(rows []authserver.Grant) error {
			found = append(found, slices.DeleteFunc(rows, func(g authserver.Grant) bool { return !g.Active(now) })...)
			if limit > 0 && len(found) > limit+page { // of a client's million sessions only the newest are kept meanwhile
				slices.SortFunc(found, newest)
				found = found[:limit]
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, newest)
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// Revoke marks every matching grant, each of them atomically; after an error some may be marked. See [authserver.Store].
func (s *Store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	if len(reason) > reasonWidth {
		return 0, errLongReason
	}
	padded := make([]byte, reasonWidth)
	copy(padded, reason)
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		return s.each(ctx, sel, func(rows []authserver.Grant) error {
			rows = slices.DeleteFunc(rows, func(g authserver.Grant) bool { return !g.RevokedAt.IsZero() })
			m, err := s.revoke(ctx, rows, now, padded, len(reason))
			n += m
			return err
		})
	})
	return n, err
}

func (s *Store) revoke(ctx context.Context, rows []authserver.Grant, now time.Time, padded []byte, length int) (n int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if err := s.enterRevoked(ctx, rows, now); err != nil { // first; see revoked.go
		return 0, err
	}
	calls := make([]call, len(rows))
	for i, g := range rows {
		calls[i] = call{revokeScript, s.row(g.ID), []any{now.UnixMilli(), padded, length}}
	}
	commands := s.runAll(ctx, calls)
	soon := s.client.Pipeline()
	var problems []error
	for i, g := range rows {
		due, err := commands[i].Int64()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if due != gone && due != done {
			n++
			soon.ZAddXX(ctx, s.index("client", g.ClientID), redis.Z{Score: float64(due), Member: g.ID})
		}
	}
	if len(problems) > 0 {
		return n, problems[0]
	}
	_, _ = soon.Exec(ctx)                                          // so that Sweep comes sooner; without it it comes later
	_ = s.trimRevoked(ctx, now, min(trim*max(1, len(rows)), page)) // so that the list does not grow where nobody sweeps
	return n, nil
}

// What scripts return instead of a time.
const (
	gone = -1
	done = -2
)

// timeoutFor is longer for what may be all grants of a client.
func (s *Store) timeoutFor(sel authserver.Selector) time.Duration {
	if sel.ID == "" {
		return wide * s.timeout
	}
	return s.timeout
}
