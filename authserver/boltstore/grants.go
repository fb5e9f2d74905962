package boltstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
)

var errEmptySelector = errors.New("boltstore: an empty selector would match every grant")

// Create adds a grant. See [authserver.Store].
func (s *Store) Create(ctx context.Context, g authserver.Grant) error {
	return s.write(ctx, func(tx *bbolt.Tx) (refusal, failure error) {
		if tx.Bucket(bucketGrants).Get([]byte(g.ID)) != nil {
			return authserver.ErrConflict, nil
		}
		return nil, putGrant(tx, &g, nil)
	})
}

// Grant returns a grant as it is now. See [authserver.Store].
func (s *Store) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) (err error) {
		g, err = getGrant(tx, id)
		return err
	})
	return g, err
}

// Advance spends a code or a refresh token in one atomic step. See [authserver.Store].
func (s *Store) Advance(ctx context.Context, step authserver.Step) error {
	return s.write(ctx, func(tx *bbolt.Tx) (refusal, failure error) { return advanceGrant(tx, step) })
}

func advanceGrant(tx *bbolt.Tx, step authserver.Step) (refusal, failure error) {
	old, err := getGrant(tx, step.ID)
	if err != nil {
		return err, nil
	}
	g := old
	if err := g.Advance(step); err != nil {
		return err, nil
	}
	return nil, putGrant(tx, &g, &old)
}

// Grants lists active grants, newest first. See [authserver.Store].
func (s *Store) Grants(
	ctx context.Context, sel authserver.Selector, now time.Time, limit int,
) ([]authserver.Grant, error) {
	if sel.IsZero() {
		return nil, errEmptySelector
	}
	var found []authserver.Grant
	err := s.read(ctx, func(tx *bbolt.Tx) error {
		all, err := matchingGrants(tx, sel)
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

// Revoke revokes every matching grant, all of them in one transaction. See [authserver.Store].
func (s *Store) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	if sel.IsZero() {
		return 0, errEmptySelector
	}
	if len(reason) > authserver.ReasonLength {
		return 0, fmt.Errorf("boltstore: reason has %d bytes, at most %d are allowed", len(reason), authserver.ReasonLength)
	}
	err = s.write(ctx, func(tx *bbolt.Tx) (refusal, failure error) {
		n = 0 // the transaction may run again
		all, err := matchingGrants(tx, sel)
		if err != nil {
			return err, nil
		}
		for _, old := range all {
			if !old.RevokedAt.IsZero() {
				continue
			}
			g := old
			g.RevokedAt, g.RevokeReason = now, reason
			if err := putGrant(tx, &g, &old); err != nil {
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

// Revoked lists revocations. See [authserver.Store].
func (s *Store) Revoked(
	ctx context.Context, since time.Time, after string, now time.Time, limit int,
) (found []authserver.Revocation, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		begin := timeKey(since, after)
		c := tx.Bucket(bucketRevoked).Cursor()
		k, v := c.Seek(begin)
		if bytes.Equal(k, begin) {
			k, v = c.Next()
		}
		for ; k != nil && (limit <= 0 || len(found) < limit); k, v = c.Next() {
			at, id := parseTimeKey(k)
			if end, _ := parseTimeKey(v); now.Before(end) {
				found = append(found, authserver.Revocation{ID: id, At: at, AccessExpiresAt: end})
			}
		}
		return nil
	})
	return found, err
}

// maxKeyLength is the length up to which Once stores a key itself and not its hash. bbolt limits keys, and takes no
// empty one.
const maxKeyLength = 255

// Once stores key until the given time. See [authserver.Store].
func (s *Store) Once(ctx context.Context, key string, now, until time.Time) error {
	if key == "" || len(key) > maxKeyLength {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	return s.write(ctx, func(tx *bbolt.Tx) (refusal, failure error) {
		once, byEnd := tx.Bucket(bucketOnce), tx.Bucket(bucketOnceByEnd)
		if end := once.Get([]byte(key)); end != nil {
			if t, _ := parseTimeKey(end); now.Before(t) {
				return authserver.ErrConflict, nil
			}
			if err := byEnd.Delete(append(slices.Clone(end), key...)); err != nil {
				return nil, err
			}
		}
		if err := once.Put([]byte(key), timeKey(until, "")); err != nil {
			return nil, err
		}
		return nil, byEnd.Put(timeKey(until, key), nil)
	})
}

// Sweep deletes up to limit grants and keys that nothing can need any more. See [authserver.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	found := false
	err = s.read(ctx, func(tx *bbolt.Tx) error { // most sweeps find nothing, and then there is nothing to sync
		found = len(endedBefore(tx, bucketGrantsByEnd, now, 1))+len(endedBefore(tx, bucketOnceByEnd, now, 1)) > 0
		return nil
	})
	if err != nil || !found {
		return 0, err
	}
	err = s.write(ctx, func(tx *bbolt.Tx) (refusal, failure error) {
		n, failure = sweep(tx, now, limit)
		return nil, failure
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func sweep(tx *bbolt.Tx, now time.Time, limit int) (n int, err error) {
	for _, id := range endedBefore(tx, bucketGrantsByEnd, now, limit) {
		g, err := getGrant(tx, id)
		if err != nil {
			return 0, err
		}
		if err := deleteGrant(tx, &g); err != nil {
			return 0, err
		}
		n++
	}
	once, byEnd := tx.Bucket(bucketOnce), tx.Bucket(bucketOnceByEnd)
	for _, key := range endedBefore(tx, bucketOnceByEnd, now, limit-n) {
		end := slices.Clone(once.Get([]byte(key)))
		if err := errors.Join(byEnd.Delete(append(end, key...)), once.Delete([]byte(key))); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// endedBefore returns up to limit names from an index by end whose end is not after now.
func endedBefore(tx *bbolt.Tx, index []byte, now time.Time, limit int) []string {
	var names []string
	c := tx.Bucket(index).Cursor()
	for k, _ := c.First(); k != nil && len(names) < limit; k, _ = c.Next() {
		end, name := parseTimeKey(k)
		if now.Before(end) {
			break
		}
		names = append(names, name)
	}
	return names
}
