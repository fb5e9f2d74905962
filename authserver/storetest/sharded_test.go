package storetest_test

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

// sharded distributes grants over several stores, for more grants or refreshes than one server can hold. The ID alone
// decides which store has a grant. A call that names an ID goes to one store, any other call to all of them.
type sharded []authserver.Store

// of returns the store of a grant. The hash must never change, not even with a release of Go or of the application.
func (s sharded) of(id string) authserver.Store {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(id))
	// in production, use a table from at least 256 buckets to servers, so that a bucket can move
	return s[sum.Sum32()%uint32(len(s))]
}

func (s sharded) Create(ctx context.Context, g authserver.Grant) error {
	return s.of(g.ID).Create(ctx, g)
}

func (s sharded) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	return s.of(id).Grant(ctx, id)
}

func (s sharded) Advance(ctx context.Context, step authserver.Step) error {
	return s.of(step.ID).Advance(ctx, step)
}

func (s sharded) Once(ctx context.Context, key string, now, until time.Time) error {
	return s.of(key).Once(ctx, key, now, until)
}

func (s sharded) Grants(
	ctx context.Context, sel authserver.Selector, now time.Time, limit int,
) ([]authserver.Grant, error) {
	if sel.ID != "" {
		return s.of(sel.ID).Grants(ctx, sel, now, limit)
	}
	return merged(s, limit,
		func(one authserver.Store) ([]authserver.Grant, error) { return one.Grants(ctx, sel, now, limit) },
		func(a, b authserver.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
}

func (s sharded) Revoked(
	ctx context.Context, since time.Time, after string, now time.Time, limit int,
) ([]authserver.Revocation, error) {
	return merged(s, limit,
		func(one authserver.Store) ([]authserver.Revocation, error) {
			return one.Revoked(ctx, since, after, now, limit)
		},
		func(a, b authserver.Revocation) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
}

// Revoke may have revoked some grants when it fails; the same call again revokes the rest.
func (s sharded) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (int, error) {
	if sel.ID != "" {
		return s.of(sel.ID).Revoke(ctx, sel, reason, now)
	}
	counts, err := each(s, func(one authserver.Store) (int, error) { return one.Revoke(ctx, sel, reason, now) })
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, err
}

func (s sharded) Sweep(ctx context.Context, now time.Time, limit int) (total int, err error) {
	for _, one := range s {
		n, err := one.Sweep(ctx, now, limit-total)
		if total += n; err != nil || total >= limit {
			return total, err
		}
	}
	return total, nil
}

// each calls all stores at once.
func each[T any](s sharded, f func(authserver.Store) (T, error)) ([]T, error) {
	answers, problems := make([]T, len(s)), make([]error, len(s))
	var wg sync.WaitGroup
	for i, one := range s {
		wg.Go(func() { answers[i], problems[i] = f(one) })
	}
	wg.Wait()
	return answers, errors.Join(problems...)
}

// merged merges the ordered lists of all stores.
func merged[T any](s sharded, limit int, f func(authserver.Store) ([]T, error), order func(a, b T) int) ([]T, error) {
	lists, err := each(s, f)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, order)
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return all, nil
}

// A store over four others fulfils the contract.
func TestShardedStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) authserver.Store {
		s := make(sharded, 4)
		for i := range s {
			s[i] = authserver.NewMemoryStore()
		}
		return s
	})
}
