package redisstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
)

var (
	errEmptySelector = errors.New("redisstore: an empty selector would match every grant")
	errLongReason    = fmt.Errorf("redisstore: the reason has more than %d bytes", authserver.ReasonLength)
)

// row is the key of a grant. The braces make the id the hash tag.
func (s *Store) row(id string) string { return s.prefix + "grant:{" + id + "}" }

// Create adds a grant. See [authserver.Store].
func (s *Store) Create(ctx context.Context, g authserver.Grant) error {
	row, err := marshal(&g)
	if err != nil {
		return err
	}
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		// The indexes first: an entry without a grant harms nobody, a grant without an entry could not be revoked by its subject.
		if err := s.enter(ctx, &g); err != nil {
			return err
		}
		created, err := s.run(ctx, createScript, s.row(g.ID), row, g.DisposableAt().UnixMilli()).Int()
		if err == nil && created == 0 {
			return fmt.Errorf("%w: grant id is taken", authserver.ErrConflict)
		}
		return err
	})
}

// Grant returns the row as it is now. See [authserver.Store].
func (s *Store) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		row, err := s.client.Get(ctx, s.row(id)).Result()
		if errors.Is(err, redis.Nil) {
			return authserver.ErrNotFound
		}
		if err == nil {
			g, err = unmarshal(row)
		}
		return err
	})
	return g, err
}

// Advance is the atomic step. See [authserver.Store].
func (s *Store) Advance(ctx context.Context, step authserver.Step) error {
	replay := 0
	if step.Replay {
		replay = 1
	}
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		outcome, err := s.run(ctx, advanceScript, s.row(step.ID), step.From, step.To, step.Now.UnixMilli(), step.IdleExpiresAt.UnixMilli(),
			step.AccessExpiresAt.UnixMilli(), replay).Int()
		switch {
		case err != nil:
			return err
		case outcome < 0:
			return authserver.ErrNotFound
		case outcome == 0:
			return authserver.ErrConflict
		case outcome == outlives:
			return s.enterAgain(ctx, step.ID)
		}
		return nil
	})
}

// onceShards is over how many keys, and so nodes of a cluster, remembered keys are spread.
const onceShards = 16

// Once remembers key until the given time. See [authserver.Store].
func (s *Store) Once(ctx context.Context, key string, now, until time.Time) error {
	sum := sha256.Sum256([]byte(key))
	return s.do(ctx, s.timeout, func(ctx context.Context) error {
		fresh, err := s.run(ctx, rememberScript, s.once(int(sum[0])%onceShards), sum[:], now.UnixMilli(), until.UnixMilli()).Int()
		if err == nil && fresh == 0 {
			return authserver.ErrConflict
		}
		return err
	})
}

func (s *Store) once(shard int) string { return fmt.Sprintf("%sonce:%d", s.prefix, shard) }
