package pgstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
)

// A schema with grants in it is upgraded while a process of the previous release runs.
func TestUpgradeFromVersion1(t *testing.T) {
	for _, row := range []struct {
		name  string
		build string // before the upgrade
	}{
		{"unchanged", ""},
		{"with the index built beforehand", `CREATE INDEX CONCURRENTLY grants_by_revocation ON {g} (revoked_at, id)
			WHERE revoked_at IS NOT NULL`},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := config(t)
			old := open(t, cfg) // except for Revoked, the first release's statements are the same
			version := table(cfg, "schema_version")
			query(t, cfg.URL, "DROP INDEX "+table(cfg, "grants_by_revocation"))
			query(t, cfg.URL, "UPDATE "+version+" SET version = 1, since = 1")
			if row.build != "" {
				query(t, cfg.URL, withTable(row.build, cfg))
			}
			g := grant("a")
			g.AccessExpiresAt = epoch.Add(10 * time.Minute)
			require.NoError(t, old.Create(t.Context(), g))
			_, err := old.Revoke(t.Context(), authserver.Selector{ID: "a"}, "user", epoch)
			require.NoError(t, err)

			s := open(t, cfg)
			assert.Equal(t, []string{"2"}, query(t, cfg.URL, "SELECT version FROM "+version))
			assert.Equal(
				t,
				[]string{"1"},
				query(t, cfg.URL, "SELECT since FROM "+version),
				"the older release may continue and restart",
			)
			assert.Equal(t, []string{"true"}, query(t, cfg.URL,
				"SELECT indisvalid::text FROM pg_index WHERE indexrelid = $1::text::regclass", table(cfg, "grants_by_revocation")))
			g.ID = "b"
			require.NoError(t, old.Create(t.Context(), g))
			_, err = old.Revoke(t.Context(), authserver.Selector{ID: "b"}, "user", epoch.Add(time.Second))
			require.NoError(t, err)
			list, err := s.Revoked(t.Context(), time.Time{}, "", epoch, 0)
			require.NoError(t, err)
			require.Len(t, list, 2, "one revoked before the upgrade, one revoked by the older release")
			require.Equal(t, "b", list[1].ID)
		})
	}
}

// The index cannot be built during a write transaction. lock_timeout ends the wait, nothing is changed, and the next
// Open succeeds.
func TestUpgradeGivesUpWaitingForLock(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	require.NoError(t, s.Create(t.Context(), grant("a")))
	query(t, cfg.URL, "DROP INDEX "+table(cfg, "grants_by_revocation"))
	query(t, cfg.URL, "UPDATE "+table(cfg, "schema_version")+" SET version = 1, since = 1")
	conn := dial(t, cfg.URL)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), withTable("UPDATE {g} SET replays = 0", cfg))
	require.NoError(t, err)
	cfg.URL += "&lock_timeout=100"
	_, err = pgstore.Open(t.Context(), cfg)
	assert.ErrorContains(t, err, "lock timeout")
	assert.Equal(t, []string{"1"}, query(t, cfg.URL, "SELECT version FROM "+table(cfg, "schema_version")))
	require.NoError(t, tx.Rollback(t.Context()))
	open(t, cfg)
	assert.Equal(t, []string{"2"}, query(t, cfg.URL, "SELECT version FROM "+table(cfg, "schema_version")))
}
