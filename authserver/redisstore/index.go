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
	// late is how long after its end an entry without a grant may be taken for one that never had one, rather than for one whose grant
	// is being made at this moment.
	late = time.Hour
	// trim is how many entries that are over go when one comes, so that a set does not grow where nobody sweeps.
	trim = 8
	// keep is how long entries stay after the end of the grant, and of its access tokens where these outlive it by more than that.
	keep = 24 * time.Hour
	// outlives is what advanceScript returns when they do.
	outlives = 2
)

// index is the key of a sorted set of ids. Names are hashed: they may be long, and have braces.
func (s *Store) index(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return s.prefix + kind + ":" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

func (s *Store) clients() string { return s.prefix + "clients" }

// enter puts a grant into its indexes. The score is its end by subject and session, and by client when Sweep should look at it.
func (s *Store) enter(ctx context.Context, g *authserver.Grant) error {
	last := g.ExpiresAt
	if g.AccessExpiresAt.After(last.Add(keep)) {
		last = g.AccessExpiresAt
	}
	end, over := last.Add(keep).UnixMilli(), g.CreatedAt.Add(-late).UnixMilli()
	calls := []call{
		{noteScript, s.clients(), []any{g.ClientID}},                                                          // for Sweep; nothing ever leaves this set, as there are few
		{enterScript, s.index("client", g.ClientID), []any{g.ID, g.DisposableAt().UnixMilli(), end, 0, over}}, // Sweep trims it
		{enterScript, s.index("subject", g.Subject), []any{g.ID, end, end, trim, over}},
	}
	if g.SessionID != "" {
		calls = append(calls, call{enterScript, s.index("session", g.SessionID), []any{g.ID, end, end, trim, over}})
	}
	for _, cmd := range s.runAll(ctx, calls) {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	if !g.RevokedAt.IsZero() { // one that is put back
		return s.enterRevoked(ctx, []authserver.Grant{*g}, g.RevokedAt)
	}
	return nil
}

// enterAgain gives the entries of a grant a later end, so that it can be revoked as long as one of its access tokens lives.
func (s *Store) enterAgain(ctx context.Context, id string) error {
	rows, err := s.rows(ctx, []string{id})
	if err != nil || rows[0] == nil {
		return err
	}
	return s.enter(ctx, rows[0])
}

// leave takes a grant that is gone out of its indexes; the one that Sweep has found it by last.
func (s *Store) leave(ctx context.Context, g *authserver.Grant) error {
	if !g.RevokedAt.IsZero() {
		if err := s.client.ZRem(ctx, s.revokedIndex(), entry(g.RevokedAt, g.ID)).Err(); err != nil {
			return err
		}
	}
	keys := []string{s.index("subject", g.Subject)}
	if g.SessionID != "" {
		keys = append(keys, s.index("session", g.SessionID))
	}
	for _, key := range append(keys, s.index("client", g.ClientID)) {
		if err := s.client.ZRem(ctx, key, g.ID).Err(); err != nil {
			return err
		}
	}
	return nil
}

// page is how many entries and rows are read at once.
const page = 500

// each calls f with the rows that match, in portions. The index that names the fewest is read; ZSCAN returns what is there from
// beginning to end, whatever else changes meanwhile, and perhaps more than once.
func (s *Store) each(ctx context.Context, sel authserver.Selector, f func([]authserver.Grant) error) error {
	var key string
	switch {
	case sel.ID != "":
		return s.portion(ctx, sel, []string{sel.ID}, f)
	case sel.SessionID != "":
		key = s.index("session", sel.SessionID)
	case sel.Subject != "":
		key = s.index("subject", sel.Subject)
	default:
		key = s.index("client", sel.ClientID)
	}
	seen := map[string]bool{}
	for cursor := uint64(0); ; {
		entries, next, err := s.client.ZScan(ctx, key, cursor, "", page).Result()
		if err != nil {
			return err
		}
		var ids []string
		for i := 0; i < len(entries); i += 2 { // id, score
			if !seen[entries[i]] {
				seen[entries[i]] = true
				ids = append(ids, entries[i])
			}
		}
		if err := s.portion(ctx, sel, ids, f); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (s *Store) portion(ctx context.Context, sel authserver.Selector, ids []string, f func([]authserver.Grant) error) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.rows(ctx, ids)
	if err != nil {
		return err
	}
	var found []authserver.Grant
	for _, g := range rows {
		if g != nil && sel.Match(g) {
			found = append(found, *g)
		}
	}
	return f(found)
}

// rows reads grants, nil for those that are not there.
func (s *Store) rows(ctx context.Context, ids []string) ([]*authserver.Grant, error) {
	pipe := s.client.Pipeline()
	commands := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		commands[i] = pipe.Get(ctx, s.row(id))
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil { //nolint:errorlint // as it is, of the first that failed
		return nil, err
	}
	rows := make([]*authserver.Grant, len(ids))
	for i, cmd := range commands {
		text, err := cmd.Result()
		if err == redis.Nil { //nolint:errorlint // as it is
			continue
		}
		if err != nil {
			return nil, err
		}
		g, err := unmarshal(text)
		if err != nil {
			return nil, err
		}
		rows[i] = &g
	}
	return rows, nil
}
