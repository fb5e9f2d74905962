package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// sweepLooks is how many grants a sweep looks at for each one that it may delete: most that it finds at first are grants whose code
// has been exchanged in the meantime, and those live on.
const sweepLooks = 64

// Sweep deletes what nothing can need any more, one grant at a time. Any number of processes may sweep at once. Grants that nobody
// sweeps go by themselves an hour after their end; their entries in the indexes stay longer. See [authserver.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = s.do(ctx, wide*s.timeout, func(ctx context.Context) error {
		clients, err := s.client.SMembers(ctx, s.clients()).Result()
		if err != nil {
			return err
		}
		looks := sweepLooks * limit
		for _, client := range clients {
			if err := s.sweepClient(ctx, s.index("client", client), now, limit, &n, &looks); err != nil {
				return err
			}
		}
		for shard := range onceShards {
			if n >= limit {
				break
			}
			m, err := s.run(ctx, forgetScript, s.once(shard), now.UnixMilli(), min(limit-n, page)).Int()
			if err != nil {
				return err
			}
			n += m
		}
		return s.trimRevoked(ctx, now, limit)
	})
	return n, err
}

// sweepClient looks at the entries of one client that are due.
func (s *Store) sweepClient(ctx context.Context, index string, now time.Time, limit int, n, looks *int) error {
	for skip := int64(0); *n < limit && *looks > 0; {
		due, err := s.client.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: index, Start: "-inf", Stop: strconv.FormatInt(now.UnixMilli(), 10),
			ByScore: true, Offset: skip, Count: int64(min(limit-*n, page))}).Result()
		if err != nil || len(due) == 0 {
			return err
		}
		ids := make([]string, len(due))
		for i, z := range due {
			ids[i], _ = z.Member.(string)
		}
		rows, err := s.rows(ctx, ids)
		if err != nil {
			return err
		}
		for i, id := range ids {
			*looks--
			at, err := s.run(ctx, disposeScript, s.row(id), now.UnixMilli()).Int64()
			switch {
			case err != nil:
				return err
			case at == gone && now.UnixMilli()-int64(due[i].Score) < late.Milliseconds():
				skip++ // perhaps it is being made
			case at == gone:
				err = s.client.ZRem(ctx, index, id).Err()
			case at == done && rows[i] != nil:
				*n++
				err = s.leave(ctx, rows[i])
			case at == done: // made since it was read
				*n++
				err = s.client.ZRem(ctx, index, id).Err()
			default: // a refresh has given it a longer life
				err = s.client.ZAddXX(ctx, index, redis.Z{Score: float64(at), Member: id}).Err()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
