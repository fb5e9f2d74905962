package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// checksPerDeletion is how many grants Sweep checks at most for each one that it may delete. Most grants that it finds
// first are those whose code has been exchanged meanwhile, and these live on.
const checksPerDeletion = 64

// Sweep deletes what nothing can need any more, one grant at a time. Any number of processes may sweep at once. Without
// Sweep, grants expire an hour after their end, and their index entries later. See [authserver.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = s.do(ctx, bulkTimeoutFactor*s.timeout, func(ctx context.Context) error {
		clients, err := s.client.SMembers(ctx, s.clientsKey()).Result()
		if err != nil {
			return err
		}
		sweep := sweeper{store: s, now: now, deletions: limit, checks: checksPerDeletion * limit}
		for _, client := range clients {
			if err = sweep.index(ctx, s.indexKey("client", client)); err != nil {
				break
			}
		}
		n = limit - sweep.deletions
		if err != nil {
			return err
		}
		for shard := range onceShards {
			if n >= limit {
				break
			}
			m, err := s.run(ctx, sweepOnceScript, s.onceKey(shard), now.UnixMilli(), min(limit-n, batchSize)).Int()
			if err != nil {
				return err
			}
			n += m
		}
		return s.trimRevocationList(ctx, now, limit)
	})
	return n, err
}

// sweeper holds how many grants a Sweep may still delete and check.
type sweeper struct {
	store             *Store
	now               time.Time
	deletions, checks int
}

// index checks the entries of one client whose time has come.
func (w *sweeper) index(ctx context.Context, index string) error {
	s := w.store
	for skip := int64(0); w.deletions > 0 && w.checks > 0; {
		due, err := s.client.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
			Key: index, Start: "-inf", Stop: strconv.FormatInt(w.now.UnixMilli(), 10), ByScore: true,
			Offset: skip, Count: int64(min(w.deletions, batchSize)),
		}).Result()
		if err != nil || len(due) == 0 {
			return err
		}
		ids := make([]string, len(due))
		for i, z := range due {
			ids[i], _ = z.Member.(string)
		}
		grants, err := s.readGrants(ctx, ids)
		if err != nil {
			return err
		}
		for i, id := range ids {
			w.checks--
			result, err := s.run(ctx, deleteScript, s.grantKey(id), w.now.UnixMilli()).Int64()
			switch {
			case err != nil:
				return err
			case result == resultMissing && w.now.UnixMilli()-int64(due[i].Score) < creationTime.Milliseconds():
				skip++ // the grant may be about to be created
			case result == resultMissing:
				err = s.client.ZRem(ctx, index, id).Err()
			case result == resultDone:
				w.deletions--
				if grants[i] != nil {
					err = s.removeFromIndexes(ctx, grants[i])
				} else { // it was created after readGrants
					err = s.client.ZRem(ctx, index, id).Err()
				}
			default: // a refresh has extended it
				err = s.client.ZAddXX(ctx, index, redis.Z{Score: float64(result), Member: id}).Err()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
