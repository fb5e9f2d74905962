package redisstore

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
)

// The revocation list is one sorted set of entries, time 8 ‖ ID. So it has the order in which Revoked returns
// revocations, and every position is found at once, also among many entries of the same time. An entry is added before
// the grant is revoked, and counts only if the grant says that it was revoked at that time. So no crash can leave a
// revoked grant off the list. When two calls revoke a grant at once, the entry of one of them counts.

func (s *Store) revocationListKey() string { return s.prefix + "revoked" }

// timeWidth is how many bytes the time takes in an entry.
const timeWidth = 8

// encodeEntry returns an entry. The milliseconds have an offset, so that times before 1970 sort right too.
func encodeEntry(at time.Time, id string) string {
	ms := uint64(at.UnixMilli()) ^ (1 << 63) //nolint:gosec // two's complement
	return string(append(binary.BigEndian.AppendUint64(nil, ms), id...))
}

func decodeEntry(text string) (authserver.Revocation, error) {
	if len(text) < timeWidth {
		return authserver.Revocation{}, ErrDamaged
	}
	ms := int64(binary.BigEndian.Uint64([]byte(text)) ^ (1 << 63)) //nolint:gosec // two's complement
	return authserver.Revocation{At: time.UnixMilli(ms).UTC(), ID: text[timeWidth:]}, nil
}

// addToRevocationList adds grants that are about to be revoked.
func (s *Store) addToRevocationList(ctx context.Context, grants []authserver.Grant, at time.Time) error {
	var last time.Time
	args := make([]any, 1, len(grants)+1)
	for _, g := range grants {
		for _, end := range []time.Time{at, g.ExpiresAt, g.AccessExpiresAt} {
			if end.After(last) {
				last = end
			}
		}
		args = append(args, encodeEntry(at, g.ID))
	}
	args[0] = last.Add(indexRetention).UnixMilli()
	return s.run(ctx, addToListScript, s.revocationListKey(), args...).Err()
}

// Revoked lists revocations. See [authserver.Store].
func (s *Store) Revoked(
	ctx context.Context, since time.Time, after string, now time.Time, limit int,
) (found []authserver.Revocation, err error) {
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		for position, more := "("+encodeEntry(since, after), true; more; {
			entries, grants, err := s.readRevocationList(ctx, position, batchSize)
			if err != nil {
				return err
			}
			for i, r := range entries {
				if g := grants[i]; g != nil && g.RevokedAt.Equal(r.At) && now.Before(g.AccessExpiresAt) {
					r.AccessExpiresAt = g.AccessExpiresAt
					if found = append(found, r); len(found) == limit {
						return nil
					}
				}
				position = "(" + encodeEntry(r.At, r.ID)
			}
			more = len(entries) == batchSize
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// readRevocationList reads entries from a position on, and their grants: nil for each one that does not exist.
func (s *Store) readRevocationList(
	ctx context.Context, position string, count int,
) ([]authserver.Revocation, []*authserver.Grant, error) {
	texts, err := s.client.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: s.revocationListKey(), Start: position, Stop: "+", ByLex: true, Count: int64(count),
	}).Result()
	if err != nil || len(texts) == 0 {
		return nil, nil, err
	}
	entries, ids := make([]authserver.Revocation, len(texts)), make([]string, len(texts))
	for i, text := range texts {
		if entries[i], err = decodeEntry(text); err != nil {
			return nil, nil, err
		}
		ids[i] = entries[i].ID
	}
	grants, err := s.readGrants(ctx, ids)
	return entries, grants, err
}

// trimRevocationList removes entries without meaning from the first limit ones: of grants that do not exist, whose
// access tokens have expired, or that were revoked at another time. An entry of a grant that is not revoked may precede
// its revocation.
func (s *Store) trimRevocationList(ctx context.Context, now time.Time, limit int) error {
	entries, grants, err := s.readRevocationList(ctx, "-", min(limit, batchSize))
	if err != nil {
		return err
	}
	var obsolete []any
	for i, r := range entries {
		var keep bool
		switch g := grants[i]; {
		case g == nil || g.RevokedAt.IsZero():
			keep = now.Sub(r.At) < creationTime
		default:
			keep = g.RevokedAt.Equal(r.At) && now.Before(g.AccessExpiresAt)
		}
		if !keep {
			obsolete = append(obsolete, encodeEntry(r.At, r.ID))
		}
	}
	if len(obsolete) == 0 {
		return nil
	}
	return s.client.ZRem(ctx, s.revocationListKey(), obsolete...).Err()
}
