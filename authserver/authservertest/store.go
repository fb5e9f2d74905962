package authservertest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// store wraps another store and logs its writes. Time is an argument of every call, so replaying a part of the log gives
// the rows of that moment: that is a rollback.
type store struct {
	own bool // base is a MemoryStore that the log can make again

	mu     sync.Mutex
	base   authserver.Store
	log    []func(authserver.Store) error
	faults faults
}

// faults counts how many of the next writes fail.
type faults struct{ before, after int }

func newStore(base authserver.Store) *store {
	if base == nil {
		return &store{own: true, base: authserver.NewMemoryStore()}
	}
	return &store{base: base}
}

func (s *store) set(change func(*faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
}

func (s *store) rollback(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.own {
		return errors.New("rollback needs the server's own store")
	}
	s.log = s.log[:max(0, len(s.log)-n)]
	s.base = authserver.NewMemoryStore()
	for _, write := range s.log {
		if err := write(s.base); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) reader() authserver.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// write makes one write at a time, so that the log has their order.
func (s *store) write(ctx context.Context, do func(context.Context, authserver.Store) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.before > 0 {
		s.faults.before--
		return errInjected
	}
	if err := do(ctx, s.base); err != nil {
		return err
	}
	if s.own {
		s.log = append(s.log, func(base authserver.Store) error { return do(context.Background(), base) })
	}
	if s.faults.after > 0 {
		s.faults.after--
		return errInjected
	}
	return nil
}

func (s *store) Create(ctx context.Context, g authserver.Grant) error {
	return s.write(ctx, func(ctx context.Context, base authserver.Store) error { return base.Create(ctx, g) })
}

type spentKey struct{}

func (s *store) Advance(ctx context.Context, step authserver.Step) error {
	err := s.write(ctx, func(ctx context.Context, base authserver.Store) error { return base.Advance(ctx, step) })
	if spent, ok := ctx.Value(spentKey{}).(*atomic.Bool); ok && err == nil {
		spent.Store(true)
	}
	return err
}

func (s *store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	first := true
	err = s.write(ctx, func(ctx context.Context, base authserver.Store) error {
		done, err := base.Revoke(ctx, sel, reason, now)
		if first { // and not when it is done again: n has been returned by then
			n, first = done, false
		}
		return err
	})
	return n, err
}

func (s *store) Once(ctx context.Context, key string, now, until time.Time) error {
	return s.write(ctx, func(ctx context.Context, base authserver.Store) error { return base.Once(ctx, key, now, until) })
}

func (s *store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	return s.reader().Sweep(ctx, now, limit) // not a commit to lose: what it deletes nothing needs
}

func (s *store) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	return s.reader().Grant(ctx, id)
}

func (s *store) Revoked(ctx context.Context, since time.Time, after string, now time.Time, limit int) ([]authserver.Revocation, error) {
	return s.reader().Revoked(ctx, since, after, now, limit)
}

func (s *store) Grants(ctx context.Context, sel authserver.Selector, now time.Time, limit int) ([]authserver.Grant, error) {
	return s.reader().Grants(ctx, sel, now, limit)
}
