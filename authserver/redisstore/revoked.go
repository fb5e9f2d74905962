package redisstore

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
)

// The list of revocations is one sorted set, and an entry of it is time 8 ‖ id: so it is sorted as Revoked returns it, and every
// position in it is found at once, also among many of the same time. It is entered before the grant is revoked, and counts if the grant
// says that it was revoked at that time. So nothing that is revoked is missing, whoever crashes where, and of two who revoke a grant at
// once the entry of one counts.

func (s *Store) revokedIndex() string { return s.prefix + "revoked" }

// timeWidth is how many bytes of an entry the time takes.
const timeWidth = 8

// entry is the milliseconds, offset so that times before 1970 sort right too, and the id.
func entry(at time.Time, id string) string {
	return string(append(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())^(1<<63)), id...)) //nolint:gosec // two's complement
}

func parseEntry(text string) (authserver.Revocation, error) {
	if len(text) < timeWidth {
		return authserver.Revocation{}, ErrDamaged
	}
	ms := int64(binary.BigEndian.Uint64([]byte(text)) ^ (1 << 63)) //nolint:gosec // two's complement
	return authserver.Revocation{At: time.UnixMilli(ms).UTC(), ID: text[timeWidth:]}, nil
}

// enterRevoked puts grants into the list that are about to be revoked.
func (s *Store) enterRevoked(ctx context.Context, rows []authserver.Grant, at time.Time) error {
	var due time.Time
	args := make([]any, 1, len(rows)+1)
	for _, g := range rows {
		for _, end := range []time.Time{at, g.ExpiresAt, g.AccessExpiresAt} {
			if end.After(due) {
				due = end
			}
		}
		args = append(args, entry(at, g.ID))
	}
	args[0] = due.Add(keep).UnixMilli()
	return s.run(ctx, enterRevokedScript, s.revokedIndex(), args...).Err()
}

// Revoked lists revocations. See [authserver.Store].
func (s *Store) Revoked(ctx context.Context, since time.Time, after string, now time.Time, limit int) (found []authserver.Revocation, err error) {
	err = s.do(ctx, s.timeout, func(ctx context.Context) error {
		for position, more := "("+entry(since, after), true; more; {
			entries, rows, err := s.revokedPage(ctx, position, page)
			if err != nil {
				return err
			}
			for i, r := range entries {
				if g := rows[i]; g != nil && g.RevokedAt.Equal(r.At) && now.Before(g.AccessExpiresAt) {
					r.AccessExpiresAt = g.AccessExpiresAt
					if found = append(found, r); len(found) == limit {
						return nil
					}
				}
				position = "(" + entry(r.At, r.ID)
			}
			more = len(entries) == page
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// revokedPage reads entries of the list from a position on, and their grants, nil for those that are not there.
func (s *Store) revokedPage(ctx context.Context, position string, count int) ([]authserver.Revocation, []*authserver.Grant, error) {
	texts, err := s.client.ZRangeArgs(ctx, redis.ZRangeArgs{Key: s.revokedIndex(), Start: position, Stop: "+", ByLex: true,
		Count: int64(count)}).Result()
	if err != nil || len(texts) == 0 {
		return nil, nil, err
	}
	entries, ids := make([]authserver.Revocation, len(texts)), make([]string, len(texts))
	for i, text := range texts {
		if entries[i], err = parseEntry(text); err != nil {
			return nil, nil, err
		}
		ids[i] = entries[i].ID
	}
	rows, err := s.rows(ctx, ids)
	return entries, rows, err
}

// trimRevoked takes up to limit entries from the beginning of the list that nobody needs: of grants that are gone, whose access tokens
// have ended, or that were revoked at another time. An entry of a grant that is not revoked may be one that is being revoked.
func (s *Store) trimRevoked(ctx context.Context, now time.Time, limit int) error {
	entries, rows, err := s.revokedPage(ctx, "-", min(limit, page))
	if err != nil {
		return err
	}
	var over []any
	for i, r := range entries {
		var keep bool
		switch g := rows[i]; {
		case g == nil || g.RevokedAt.IsZero():
			keep = now.Sub(r.At) < late
		default:
			keep = g.RevokedAt.Equal(r.At) && now.Before(g.AccessExpiresAt)
		}
		if !keep {
			over = append(over, entry(r.At, r.ID))
		}
	}
	if len(over) == 0 {
		return nil
	}
	return s.client.ZRem(ctx, s.revokedIndex(), over...).Err()
}
