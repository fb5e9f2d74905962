package boltstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
)

// Store is an [authserver.Store] and a [jwks.KeyStore] on disk. All methods are safe for concurrent use, and fail after Close.
type Store struct {
	db      *bbolt.DB
	commits *committer
	keys    [][]byte
}

var (
	errEmptySelector = errors.New("boltstore: an empty selector would match every grant")
	errLongReason    = fmt.Errorf("boltstore: the reason has more than %d bytes", authserver.ReasonLength)
)

// RefreshKeys returns the keys of the file refresh.keys, for [authserver.Config].RefreshKeys.
func (s *Store) RefreshKeys() [][]byte {
	keys := make([][]byte, len(s.keys))
	for i, k := range s.keys {
		keys[i] = slices.Clone(k)
	}
	return keys
}

// Format prints no key, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "boltstore.Store") }

// Close waits for running calls and releases the directory.
func (s *Store) Close() error {
	s.commits.close()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	return nil
}

// write runs f in a transaction that is synced to disk together with others that come at the same time.
func (s *Store) write(ctx context.Context, f change) error { return wrap(s.commits.do(ctx, f)) }

func (s *Store) read(ctx context.Context, f func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return wrap(contain(func() error { return s.db.View(f) }))
}

func wrap(err error) error {
	if err == nil || errors.Is(err, authserver.ErrNotFound) || errors.Is(err, authserver.ErrConflict) {
		return err
	}
	return fmt.Errorf("boltstore: %w", err)
}

// Create adds a grant. See [authserver.Store].
func (s *Store) Create(ctx context.Context, g authserver.Grant) error {
	return s.write(ctx, func(tx *bbolt.Tx) (outcome, broken error) {
		if tx.Bucket(bucketGrants).Get([]byte(g.ID)) != nil {
			return authserver.ErrConflict, nil
		}
		return nil, put(tx, &g, nil)
	})
}

// Grant returns the row as it is now. See [authserver.Store].
func (s *Store) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) (err error) {
		g, err = get(tx, id)
		return err
	})
	return g, err
}

// Advance is the atomic step. See [authserver.Store].
func (s *Store) Advance(ctx context.Context, step authserver.Step) error {
	return s.write(ctx, func(tx *bbolt.Tx) (outcome, broken error) { return advance(tx, step) })
}

func advance(tx *bbolt.Tx, step authserver.Step) (outcome, broken error) {
	old, err := get(tx, step.ID)
	if err != nil {
		return err, nil
	}
	g := old
	if err := g.Advance(step); err != nil {
		return err, nil
	}
	return nil, put(tx, &g, &old)
}

// Grants lists active grants, newest first. See [authserver.Store].
func (s *Store) Grants(ctx context.Context, sel authserver.Selector, now time.Time, limit int) ([]authserver.Grant, error) {
	if sel.IsZero() {
		return nil, errEmptySelector
	}
	var found []authserver.Grant
	err := s.read(ctx, func(tx *bbolt.Tx) error {
		all, err := selected(tx, sel)
		found = slices.DeleteFunc(all, func(g authserver.Grant) bool { return !g.Active(now) })
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b authserver.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

// Revoke marks every matching grant. See [authserver.Store].
func (s *Store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	if len(reason) > authserver.ReasonLength {
		return 0, errLongReason
	}
	err = s.write(ctx, func(tx *bbolt.Tx) (outcome, broken error) {
		n = 0
		all, err := selected(tx, sel)
		if err != nil {
			return err, nil
		}
		for _, old := range all {
			if !old.RevokedAt.IsZero() {
				continue
			}
			g := old
			g.RevokedAt, g.RevokeReason = now, reason
			if err := put(tx, &g, &old); err != nil {
				return nil, err
			}
			n++
		}
		return nil, nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// selected reads the rows that match, by the index that names the fewest.
func selected(tx *bbolt.Tx, sel authserver.Selector) ([]authserver.Grant, error) {
	var ids []string
	list := func(bucket []byte, name string) {
		prefix := indexKey(name, "")
		c := tx.Bucket(bucket).Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			ids = append(ids, string(k[len(prefix):]))
		}
	}
	switch {
	case sel.ID != "":
		ids = []string{sel.ID}
	case sel.SessionID != "":
		list(bucketSession, sel.SessionID)
	case sel.Subject != "":
		list(bucketSubject, sel.Subject)
	default:
		list(bucketClient, sel.ClientID)
	}
	var found []authserver.Grant
	for _, id := range ids {
		g, err := get(tx, id)
		if errors.Is(err, authserver.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sel.Match(&g) {
			found = append(found, g)
		}
	}
	return found, nil
}

// longKey is how long a key may be that is kept as it is; bbolt has a limit, and takes no empty one.
const longKey = 255

// Once remembers key until the given time. See [authserver.Store].
func (s *Store) Once(ctx context.Context, key string, now, until time.Time) error {
	if key == "" || len(key) > longKey {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	return s.write(ctx, func(tx *bbolt.Tx) (outcome, broken error) {
		once, due := tx.Bucket(bucketOnce), tx.Bucket(bucketOnceDue)
		if end := once.Get([]byte(key)); end != nil {
			if t, _ := dueTime(end); now.Before(t) {
				return authserver.ErrConflict, nil
			}
			if err := due.Delete(append(slices.Clone(end), key...)); err != nil {
				return nil, err
			}
		}
		if err := once.Put([]byte(key), dueKey(until, "")); err != nil {
			return nil, err
		}
		return nil, due.Put(dueKey(until, key), nil)
	})
}

// Sweep deletes what nothing can need any more. See [authserver.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	due := false
	err = s.read(ctx, func(tx *bbolt.Tx) error { // most sweeps find nothing, and then there is nothing to sync
		due = len(dueIDs(tx, bucketDue, now, 1))+len(dueIDs(tx, bucketOnceDue, now, 1)) > 0
		return nil
	})
	if err != nil || !due {
		return 0, err
	}
	err = s.write(ctx, func(tx *bbolt.Tx) (outcome, broken error) {
		n = 0
		for _, id := range dueIDs(tx, bucketDue, now, limit) {
			g, err := get(tx, id)
			if err != nil {
				return nil, err
			}
			if err := remove(tx, &g); err != nil {
				return nil, err
			}
			n++
		}
		for _, key := range dueIDs(tx, bucketOnceDue, now, limit-n) {
			end := slices.Clone(tx.Bucket(bucketOnce).Get([]byte(key)))
			if err := errors.Join(tx.Bucket(bucketOnceDue).Delete(append(end, key...)), tx.Bucket(bucketOnce).Delete([]byte(key))); err != nil {
				return nil, err
			}
			n++
		}
		return nil, nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// dueIDs returns up to limit names from an expiry index whose time has come.
func dueIDs(tx *bbolt.Tx, bucket []byte, now time.Time, limit int) []string {
	var ids []string
	c := tx.Bucket(bucket).Cursor()
	for k, _ := c.First(); k != nil && len(ids) < limit; k, _ = c.Next() {
		t, id := dueTime(k)
		if now.Before(t) {
			break
		}
		ids = append(ids, id)
	}
	return ids
}
