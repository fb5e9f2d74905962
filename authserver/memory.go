package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a [Store] in memory: its grants are lost when the process ends. [NewConfig] sets one. All methods are
// safe for concurrent use.
type MemoryStore struct {
	mu     sync.RWMutex
	grants map[string]*Grant
	once   map[string]time.Time
	// revoked has what Revoked lists, in its order. Sweep removes old entries.
	revoked []Revocation
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{grants: map[string]*Grant{}, once: map[string]time.Time{}}
}

var (
	errEmptySelector = errors.New("authserver: an empty selector would match every grant")
	errLongReason    = fmt.Errorf("authserver: the reason has more than %d bytes", ReasonLength)
)

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
	if !g.RevokedAt.IsZero() {
		m.list(g.revocation())
	}
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
	if len(reason) > ReasonLength {
		return 0, errLongReason
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var done []Revocation
	for _, g := range m.selected(sel) {
		if g.RevokedAt.IsZero() {
			g.RevokedAt, g.RevokeReason = now, reason
			done = append(done, g.revocation())
		}
	}
	m.list(done...)
	return len(done), nil
}

// list adds revocations to those that Revoked lists; m.mu is held. A revoked row never changes, so a copy stays right.
func (m *MemoryStore) list(more ...Revocation) {
	if len(more) == 1 { // usually at the end
		at, _ := slices.BinarySearchFunc(m.revoked, more[0], Revocation.compare)
		m.revoked = slices.Insert(m.revoked, at, more[0])
		return
	}
	m.revoked = append(m.revoked, more...)
	slices.SortFunc(m.revoked, Revocation.compare)
}

// Revoked lists revocations. See [Store].
func (m *MemoryStore) Revoked(
	ctx context.Context, since time.Time, after string, now time.Time, limit int,
) ([]Revocation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	begin, found := slices.BinarySearchFunc(m.revoked, Revocation{ID: after, At: since}, Revocation.compare)
	if found {
		begin++
	}
	var out []Revocation
	for _, r := range m.revoked[begin:] {
		if limit > 0 && len(out) == limit {
			break
		}
		if now.Before(r.AccessExpiresAt) {
			out = append(out, r)
		}
	}
	return out, nil
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

// Once records key until the given time. See [Store].
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

// Sweep deletes what nothing needs any more. See [Store].
func (m *MemoryStore) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, looked := 0, 0
	for id, g := range m.grants {
		// Other calls wait for the lock, so a sweep looks at a bounded number of rows. Map order is random, so the next
		// sweep looks at others.
		if looked++; n >= limit || looked > 64*limit || ctx.Err() != nil {
			break
		}
		if !now.Before(g.DisposableAt()) {
			delete(m.grants, id)
			n++
		}
	}
	looked = 0 // many active grants must not keep every key
	for key, until := range m.once {
		if looked++; n >= limit || looked > 64*limit || ctx.Err() != nil {
			break
		}
		if !now.Before(until) {
			delete(m.once, key)
			n++
		}
	}
	over := 0
	for over < len(m.revoked) && !now.Before(m.revoked[over].AccessExpiresAt) {
		over++
	}
	m.revoked = m.revoked[over:]
	return n, ctx.Err()
}
