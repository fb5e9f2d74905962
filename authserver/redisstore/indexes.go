package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
)

const (
	// creationTime is how long after its time an entry without a grant may belong to a grant that is about to be
	// created or revoked.
	creationTime = time.Hour
	// trimCount is how many expired entries are removed when one is added, so that a set does not grow without Sweep.
	trimCount = 8
	// indexRetention is how long entries stay after the end of the grant, and of its access tokens if these outlive it
	// by more than that.
	indexRetention = 24 * time.Hour
	// batchSize is how many entries and grants are read at once.
	batchSize = 500
)

// indexKey is the key of a sorted set of IDs. Names are hashed, since they may be long and contain braces.
func (s *Store) indexKey(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return s.prefix + kind + ":" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// clientsKey is the set of client IDs, for Sweep. Nothing leaves it, as there are few clients.
func (s *Store) clientsKey() string { return s.prefix + "clients" }

// addToIndexes adds a grant to its indexes. In those by subject and session the score is the end of the entry. In the
// one by client it is the time at which Sweep checks the grant.
func (s *Store) addToIndexes(ctx context.Context, g *authserver.Grant) error {
	last := g.ExpiresAt
	if g.AccessExpiresAt.After(last.Add(indexRetention)) {
		last = g.AccessExpiresAt
	}
	end, expired := last.Add(indexRetention).UnixMilli(), g.CreatedAt.Add(-creationTime).UnixMilli()
	byClient, bySubject := s.indexKey("client", g.ClientID), s.indexKey("subject", g.Subject)
	calls := []call{
		{addClientScript, s.clientsKey(), []any{g.ClientID}},
		{addToIndexScript, byClient, []any{g.ID, g.DisposableAt().UnixMilli(), end, 0, expired}}, // Sweep trims it
		{addToIndexScript, bySubject, []any{g.ID, end, end, trimCount, expired}},
	}
	if g.SessionID != "" {
		bySession := s.indexKey("session", g.SessionID)
		calls = append(calls, call{addToIndexScript, bySession, []any{g.ID, end, end, trimCount, expired}})
	}
	for _, result := range s.runAll(ctx, calls) {
		if err := result.Err(); err != nil {
			return err
		}
	}
	if !g.RevokedAt.IsZero() { // a grant restored from elsewhere
		return s.addToRevocationList(ctx, []authserver.Grant{*g}, g.RevokedAt)
	}
	return nil
}

// extendIndexes moves the end of a grant's entries, so that it can be revoked as long as one of its access tokens is
// valid.
func (s *Store) extendIndexes(ctx context.Context, id string) error {
	grants, err := s.readGrants(ctx, []string{id})
	if err != nil || grants[0] == nil {
		return err
	}
	return s.addToIndexes(ctx, grants[0])
}

// removeFromIndexes removes the entries of a deleted grant. The index by client comes last, because Sweep finds entries
// by it.
func (s *Store) removeFromIndexes(ctx context.Context, g *authserver.Grant) error {
	if !g.RevokedAt.IsZero() {
		entry := encodeEntry(g.RevokedAt, g.ID)
		if err := s.client.ZRem(ctx, s.revocationListKey(), entry).Err(); err != nil {
			return err
		}
	}
	indexes := []string{s.indexKey("subject", g.Subject)}
	if g.SessionID != "" {
		indexes = append(indexes, s.indexKey("session", g.SessionID))
	}
	for _, index := range append(indexes, s.indexKey("client", g.ClientID)) {
		if err := s.client.ZRem(ctx, index, g.ID).Err(); err != nil {
			return err
		}
	}
	return nil
}

// forEachBatch calls f with the grants that match, in batches. It reads the index that names the fewest. ZSCAN returns
// every entry that is in the index from beginning to end of the scan, whatever else changes, and possibly more than
// once.
func (s *Store) forEachBatch(ctx context.Context, sel authserver.Selector, f func([]authserver.Grant) error) error {
	var index string
	switch {
	case sel.ID != "":
		return s.matchBatch(ctx, sel, []string{sel.ID}, f)
	case sel.SessionID != "":
		index = s.indexKey("session", sel.SessionID)
	case sel.Subject != "":
		index = s.indexKey("subject", sel.Subject)
	default:
		index = s.indexKey("client", sel.ClientID)
	}
	seen := map[string]bool{}
	for cursor := uint64(0); ; {
		entries, next, err := s.client.ZScan(ctx, index, cursor, "", batchSize).Result()
		if err != nil {
			return err
		}
		var ids []string
		for i := 0; i < len(entries); i += 2 { // ID, score
			if !seen[entries[i]] {
				seen[entries[i]] = true
				ids = append(ids, entries[i])
			}
		}
		if err := s.matchBatch(ctx, sel, ids, f); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// matchBatch calls f with those of the grants that match.
func (s *Store) matchBatch(
	ctx context.Context, sel authserver.Selector, ids []string, f func([]authserver.Grant) error,
) error {
	if len(ids) == 0 {
		return nil
	}
	grants, err := s.readGrants(ctx, ids)
	if err != nil {
		return err
	}
	var found []authserver.Grant
	for _, g := range grants {
		if g != nil && sel.Match(g) {
			found = append(found, *g)
		}
	}
	return f(found)
}

// readGrants reads grants. The result is nil for each one that does not exist.
func (s *Store) readGrants(ctx context.Context, ids []string) ([]*authserver.Grant, error) {
	pipe := s.client.Pipeline()
	results := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		results[i] = pipe.Get(ctx, s.grantKey(id))
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil { //nolint:errorlint // unwrapped, of the first that failed
		return nil, err
	}
	grants := make([]*authserver.Grant, len(ids))
	for i, result := range results {
		row, err := result.Result()
		if err == redis.Nil { //nolint:errorlint // unwrapped
			continue
		}
		if err != nil {
			return nil, err
		}
		g, err := decodeRow(row)
		if err != nil {
			return nil, err
		}
		grants[i] = &g
	}
	return grants, nil
}
