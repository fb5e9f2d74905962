package pgstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
)

// TestSchemaOfTheFirstVersion: one with sessions in it is brought up to date while a process of the release that made it goes on.
func TestSchemaOfTheFirstVersion(t *testing.T) {
	for _, row := range []struct {
		name  string
		build string // before the upgrade
	}{
		{"as it was", ""},
		{"with the index built beforehand", `CREATE INDEX CONCURRENTLY grants_by_revocation ON {g} (revoked_at, id) WHERE revoked_at IS NOT NULL`},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := config(t)
			old := open(t, cfg) // the first release's statements are the same, but for Revoked
			version := table(cfg, "schema_version")
			query(t, cfg.URL, "DROP INDEX "+table(cfg, "grants_by_revocation"))
			query(t, cfg.URL, "UPDATE "+version+" SET version = 1, since = 1")
			if row.build != "" {
				query(t, cfg.URL, replace(row.build, cfg))
			}
			g := grant("a")
			g.AccessExpiresAt = epoch.Add(10 * time.Minute)
			require.NoError(t, old.Create(t.Context(), g))
			_, err := old.Revoke(t.Context(), authserver.Selector{ID: "a"}, "user", epoch)
			require.NoError(t, err)

			s := open(t, cfg)
			assert.Equal(t, []string{"2"}, query(t, cfg.URL, "SELECT version FROM "+version))
			assert.Equal(t, []string{"1"}, query(t, cfg.URL, "SELECT since FROM "+version), "the older release may go on, and start again")
			assert.Equal(t, []string{"true"}, query(t, cfg.URL, "SELECT indisvalid::text FROM pg_index WHERE indexrelid = $1::text::regclass",
				table(cfg, "grants_by_revocation")))
			g.ID = "b"
			require.NoError(t, old.Create(t.Context(), g))
			_, err = old.Revoke(t.Context(), authserver.Selector{ID: "b"}, "user", epoch.Add(time.Second))
			require.NoError(t, err)
			list, err := s.Revoked(t.Context(), time.Time{}, "", epoch, 0)
			require.NoError(t, err)
			require.Len(t, list, 2, "what was revoked before, and what the older release revokes")
			require.Equal(t, "b", list[1].ID)
		})
	}
}

// TestMigrationWaitsForNobodyForEver: the index can't be built while somebody writes. The context ends the waiting, nothing has changed,
// and the next one does it.
func TestMigrationWaitsForNobodyForEver(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	require.NoError(t, s.Create(t.Context(), grant("a")))
	query(t, cfg.URL, "DROP INDEX "+table(cfg, "grants_by_revocation"))
	query(t, cfg.URL, "UPDATE "+table(cfg, "schema_version")+" SET version = 1, since = 1")
	conn := dial(t, cfg.URL)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), replace("UPDATE {g} SET replays = 0", cfg))
	require.NoError(t, err)
	cfg.URL += "&lock_timeout=100"
	_, err = pgstore.Open(t.Context(), cfg)
	assert.ErrorContains(t, err, "lock timeout")
	assert.Equal(t, []string{"1"}, query(t, cfg.URL, "SELECT version FROM "+table(cfg, "schema_version")))
	require.NoError(t, tx.Rollback(t.Context()))
	open(t, cfg)
	assert.Equal(t, []string{"2"}, query(t, cfg.URL, "SELECT version FROM "+table(cfg, "schema_version")))
}
