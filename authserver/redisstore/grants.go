package redisstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
)

var errEmptySelector = errors.New("redisstore: an empty selector would match every grant")

// grantKey is the key of a grant. In a cluster, the braces make the slot depend on the ID alone.
func (s *Store) grantKey(id string) string { return s.prefix + "grant:{" + id + "}" }

// Create adds a grant. See [authserver.Store].
func (s *Store) Create(ctx context.Context, g authserver.Grant) error {
	row, err := encodeRow(&g)
	if err != nil {
		return err
	}
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		// The indexes come first. An entry without a grant does no harm; a grant without an entry could not be revoked
		// by its subject.
		if err := s.addToIndexes(ctx, &g); err != nil {
			return err
		}
		created, err := s.run(ctx, createScript, s.grantKey(g.ID), row, g.DisposableAt().UnixMilli()).Int()
		if err == nil && created == 0 {
			return fmt.Errorf("%w: grant ID is taken", authserver.ErrConflict)
		}
		return err
	})
}

// Grant returns a grant as it is now. See [authserver.Store].
func (s *Store) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		row, err := s.client.Get(ctx, s.grantKey(id)).Result()
		if errors.Is(err, redis.Nil) {
			return authserver.ErrNotFound
		}
		if err == nil {
			g, err = decodeRow(row)
		}
		return err
	})
	return g, err
}

// Advance spends a code or a refresh token in one atomic step. See [authserver.Store].
func (s *Store) Advance(ctx context.Context, step authserver.Step) error {
	replay := 0
	if step.Replay {
		replay = 1
	}
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		result, err := s.run(ctx, advanceScript, s.grantKey(step.ID), step.From, step.To, step.Now.UnixMilli(),
			step.IdleExpiresAt.UnixMilli(), step.AccessExpiresAt.UnixMilli(), replay).Int()
		switch {
		case err != nil:
			return err
		case result == resultMissing:
			return authserver.ErrNotFound
		case result == resultConflict:
			return authserver.ErrConflict
		case result == resultOutlivesIndexes:
			return s.extendIndexes(ctx, step.ID)
		}
		return nil
	})
}

// Grants lists active grants, newest first. See [authserver.Store].
func (s *Store) Grants(
	ctx context.Context, sel authserver.Selector, now time.Time, limit int,
) (found []authserver.Grant, err error) {
	if sel.IsZero() {
		return nil, errEmptySelector
	}
	newest := func(a, b authserver.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) }
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		return s.forEachBatch(ctx, sel, func(batch []authserver.Grant) error {
			found = append(found, slices.DeleteFunc(batch, func(g authserver.Grant) bool { return !g.Active(now) })...)
			if limit > 0 && len(found) > limit+batchSize { // bounds the memory for a client with a million grants
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

// Revoke revokes every matching grant, each one atomically. After an error some may be revoked. See [authserver.Store].
func (s *Store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	if len(reason) > reasonWidth {
		return 0, fmt.Errorf("redisstore: reason has %d bytes, at most %d are allowed", len(reason), reasonWidth)
	}
	err = s.do(ctx, s.timeoutFor(sel), func(ctx context.Context) error {
		return s.forEachBatch(ctx, sel, func(batch []authserver.Grant) error {
			batch = slices.DeleteFunc(batch, func(g authserver.Grant) bool { return !g.RevokedAt.IsZero() })
			m, err := s.revokeBatch(ctx, batch, reason, now)
			n += m
			return err
		})
	})
	return n, err
}

func (s *Store) revokeBatch(
	ctx context.Context, batch []authserver.Grant, reason string, now time.Time,
) (n int, err error) {
	if len(batch) == 0 {
		return 0, nil
	}
	if err := s.addToRevocationList(ctx, batch, now); err != nil { // first; see revocationlist.go
		return 0, err
	}
	padded := make([]byte, reasonWidth)
	copy(padded, reason)
	calls := make([]call, len(batch))
	for i, g := range batch {
		calls[i] = call{revokeScript, s.grantKey(g.ID), []any{now.UnixMilli(), padded, len(reason)}}
	}
	results := s.runAll(ctx, calls)
	reschedule := s.client.Pipeline()
	var firstErr error
	for i, g := range batch {
		disposableAt, err := results[i].Int64()
		if err != nil {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		if disposableAt != resultMissing && disposableAt != resultDone {
			n++
			reschedule.ZAddXX(ctx, s.indexKey("client", g.ClientID), redis.Z{Score: float64(disposableAt), Member: g.ID})
		}
	}
	if firstErr != nil {
		return n, firstErr
	}
	_, _ = reschedule.Exec(ctx) // if it fails, Sweep finds these grants later
	// Without a Sweep, this keeps the list from growing.
	_ = s.trimRevocationList(ctx, now, min(trimCount*max(1, len(batch)), batchSize))
	return n, nil
}

// onceShards is the number of keys, and so of cluster nodes at most, over which Once spreads its keys.
const onceShards = 16

func (s *Store) onceKey(shard int) string { return fmt.Sprintf("%sonce:%d", s.prefix, shard) }

// Once stores key until the given time. See [authserver.Store].
func (s *Store) Once(ctx context.Context, key string, now, until time.Time) error {
	sum := sha256.Sum256([]byte(key))
	shard := s.onceKey(int(sum[0]) % onceShards)
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		added, err := s.run(ctx, onceScript, shard, sum[:], now.UnixMilli(), until.UnixMilli()).Int()
		if err == nil && added == 0 {
			return authserver.ErrConflict
		}
		return err
	})
}
