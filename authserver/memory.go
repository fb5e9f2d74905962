package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a [Store] that forgets everything when the process ends. It is what [NewConfig] sets. All methods are safe for
// concurrent use.
type MemoryStore struct {
	mu     sync.RWMutex
	grants map[string]*Grant
	once   map[string]time.Time
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{grants: map[string]*Grant{}, once: map[string]time.Time{}}
}

var errEmptySelector = errors.New("authserver: an empty selector would match every grant")

// Create adds a grant. See [Store].
func (m *MemoryStore) Create(ctx context.Context, g Grant) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.grants[g.ID]; taken {
		return fmt.Errorf("%w: grant id is taken", ErrConflict)
	}
	g = g.clone()
	m.grants[g.ID] = &g
	return nil
}

// Grant returns the row as it is now. See [Store].
func (m *MemoryStore) Grant(ctx context.Context, id string) (Grant, error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	g, ok := m.grants[id]
	if !ok {
		return Grant{}, ErrNotFound
	}
	return g.clone(), nil
}

// Advance is the atomic step. See [Store].
func (m *MemoryStore) Advance(ctx context.Context, step Step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	g, ok := m.grants[step.ID]
	if !ok {
		return ErrNotFound
	}
	return g.Advance(step)
}

// Grants lists active grants, newest first. See [Store].
func (m *MemoryStore) Grants(ctx context.Context, sel Selector, now time.Time, limit int) ([]Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if sel.IsZero() {
		return nil, errEmptySelector
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Grant
	for _, g := range m.selected(sel) {
		if g.Active(now) {
			found = append(found, g.clone())
		}
	}
	slices.SortFunc(found, func(a, b Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// Revoke marks every matching grant. See [Store].
func (m *MemoryStore) Revoke(ctx context.Context, sel Selector, reason string, now time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, g := range m.selected(sel) {
		if g.RevokedAt.IsZero() {
			g.RevokedAt, g.RevokeReason = now, reason
			n++
		}
	}
	return n, nil
}

// selected returns the rows that match; m.mu is held.
func (m *MemoryStore) selected(sel Selector) []*Grant {
	if sel.ID != "" {
		if g, ok := m.grants[sel.ID]; ok && sel.Match(g) {
			return []*Grant{g}
		}
		return nil
	}
	var found []*Grant
	for _, g := range m.grants {
		if sel.Match(g) {
			found = append(found, g)
		}
	}
	return found
}

// Once remembers key until the given time. See [Store].
func (m *MemoryStore) Once(ctx context.Context, key string, now, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if end, known := m.once[key]; known && now.Before(end) {
		return ErrConflict
	}
	m.once[key] = until
	return nil
}

// Sweep deletes what nothing can need any more. See [Store].
func (m *MemoryStore) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, looked := 0, 0
	for id, g := range m.grants {
		// The lock is held: looking at rows costs others time too, so a sweep looks at a bounded number of them. Map order is
		// random, so the next sweep looks at others.
		if looked++; n >= limit || looked > 64*limit || ctx.Err() != nil {
			break
		}
		if !now.Before(g.DisposableAt()) {
			delete(m.grants, id)
			n++
		}
	}
	for key, until := range m.once {
		if looked++; n >= limit || looked > 64*limit || ctx.Err() != nil {
			break
		}
		if !now.Before(until) {
			delete(m.once, key)
			n++
		}
	}
	return n, ctx.Err()
}
