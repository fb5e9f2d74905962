package boltstore

import (
	"bytes"
	"context"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
)

// Revoked lists revocations. See [authserver.Store].
func (s *Store) Revoked(ctx context.Context, since time.Time, after string, now time.Time, limit int) (found []authserver.Revocation, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		begin := dueKey(since, after)
		c := tx.Bucket(bucketRevoked).Cursor()
		k, v := c.Seek(begin)
		if bytes.Equal(k, begin) {
			k, v = c.Next()
		}
		for ; k != nil && (limit <= 0 || len(found) < limit); k, v = c.Next() {
			at, id := dueTime(k)
			if end, _ := dueTime(v); now.Before(end) {
				found = append(found, authserver.Revocation{ID: id, At: at, AccessExpiresAt: end})
			}
		}
		return nil
	})
	return found, err
}
