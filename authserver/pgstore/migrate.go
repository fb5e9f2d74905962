package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrSchemaTooNew is returned by [Open] when a later release has made the schema incompatible with this one. Nothing
// was changed.
var ErrSchemaTooNew = errors.New("pgstore: the schema belongs to a later release")

// migration is one change of the schema. Releases whose own schema has version compatibleSince or later must work with
// the result.
type migration struct {
	compatibleSince int
	statements      []string
}

// migrations are in order; the first one makes version 1. A released one never changes. {s} stands for the schema.
var migrations = []migration{{compatibleSince: 1, statements: []string{ // version 1
	// Columns of fixed width come first, so that they need no padding. COLLATE "C" makes comparisons cheap, and keeps
	// indexes valid when the operating system changes its collations. nonce is bytea, because a client may send a zero
	// byte in it. fillfactor leaves space in each page for the next version of a refreshed row, which then needs no new
	// index entry.
	`CREATE TABLE {s}.grants (
		created_at        bigint NOT NULL,
		expires_at        bigint NOT NULL,
		idle_expires_at   bigint NOT NULL,
		check_at          bigint NOT NULL,
		generation        bigint NOT NULL,
		auth_time         bigint,
		access_expires_at bigint,
		revoked_at        bigint,
		replays           integer NOT NULL,
		refresh           boolean NOT NULL,
		id                text COLLATE "C" NOT NULL PRIMARY KEY,
		salt              bytea NOT NULL,
		client_id         text COLLATE "C" NOT NULL,
		subject           text COLLATE "C" NOT NULL,
		session_id        text COLLATE "C",
		scopes            text[],
		resources         text[],
		redirect_uri      text,
		challenge         text,
		nonce             bytea,
		acr               text,
		amr               text[],
		history           bytea NOT NULL,
		revoke_reason     text
	) WITH (fillfactor = 80)`,
	`CREATE INDEX grants_by_subject ON {s}.grants (subject, client_id)`,
	`CREATE INDEX grants_by_client ON {s}.grants (client_id)`,
	`CREATE INDEX grants_by_session ON {s}.grants (session_id) WHERE session_id IS NOT NULL`,
	`CREATE INDEX grants_by_check ON {s}.grants (check_at)`,
	`CREATE TABLE {s}.once (key bytea NOT NULL PRIMARY KEY, until bigint NOT NULL)`,
	`CREATE INDEX once_by_end ON {s}.once (until)`,
	`CREATE TABLE {s}.signing_keys (
		name text COLLATE "C" NOT NULL PRIMARY KEY, version text NOT NULL, sealed bytea NOT NULL)`,
}}, {compatibleSince: 1, statements: []string{ // version 2
	// Revoked reads this index. It must not mention access_expires_at, neither as INCLUDE nor in its condition: a
	// refresh changes that column, and a column that any index mentions costs every refresh new entries in all indexes.
	// It would save little anyway: for recently changed pages, as these are, an index-only scan reads the table too.
	//
	// The lock of this statement blocks writers, but not readers, for one pass over the table. IF NOT EXISTS is for
	// operators who built the index beforehand with CONCURRENTLY. That cannot run in a transaction: the migration would
	// not be all or nothing, and a failed build leaves an invalid index.
	`CREATE INDEX IF NOT EXISTS grants_by_revocation ON {s}.grants (revoked_at, id) WHERE revoked_at IS NOT NULL`,
}}}

// maxMigrateAttempts limits how often the migration is tried. Each time it fails, another process has made progress.
const maxMigrateAttempts = 20

// migrate creates or upgrades the schema if it is not up to date.
func migrate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	expand := func(sql string) string { return strings.ReplaceAll(sql, "{s}", pgx.Identifier{schema}.Sanitize()) }
	var err error
	for range maxMigrateAttempts {
		var done bool
		if done, err = upToDate(ctx, pool, expand); done || (err != nil && !isConcurrentCreate(err)) {
			return err
		}
		if err = createVersionRow(ctx, pool, expand); err == nil {
			err = applyMigrations(ctx, pool, expand)
		}
		if err != nil && !isConcurrentCreate(err) {
			return err
		}
	}
	return err
}

// upToDate only reads, so that a process normally starts without the right to change anything.
func upToDate(ctx context.Context, pool *pgxpool.Pool, expand func(string) string) (bool, error) {
	var version, compatibleSince int
	sql := expand(`SELECT version, since FROM {s}.schema_version WHERE id = 1`)
	err := pool.QueryRow(ctx, sql).Scan(&version, &compatibleSince)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || hasCode(err, "42P01", "3F000"): // no row, no table, no schema
		return false, nil
	case err != nil:
		return false, err
	case compatibleSince > len(migrations):
		return false, fmt.Errorf("%w: its version is %d, this release knows %d", ErrSchemaTooNew, version, len(migrations))
	}
	return version >= len(migrations), nil
}

// createVersionRow creates the row that processes lock before they migrate.
func createVersionRow(ctx context.Context, pool *pgxpool.Pool, expand func(string) string) error {
	var exists bool
	err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)`,
		strings.ReplaceAll(strings.Trim(expand("{s}"), `"`), `""`, `"`)).Scan(&exists)
	if err != nil {
		return err
	}
	if !exists { // IF NOT EXISTS needs the right to create schemas even when the schema exists
		if _, err := pool.Exec(ctx, expand(`CREATE SCHEMA IF NOT EXISTS {s}`)); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		`CREATE TABLE IF NOT EXISTS {s}.schema_version (
			id integer NOT NULL PRIMARY KEY, version integer NOT NULL, since integer NOT NULL)`,
		`INSERT INTO {s}.schema_version (id, version, since) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING`,
	} {
		if _, err := pool.Exec(ctx, expand(sql)); err != nil {
			return err
		}
	}
	return nil
}

// applyMigrations applies the missing migrations in one transaction, which locks the row: other processes wait and then
// find nothing to do.
func applyMigrations(ctx context.Context, pool *pgxpool.Pool, expand func(string) string) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var version int
		lock := expand(`SELECT version FROM {s}.schema_version WHERE id = 1 FOR UPDATE`)
		if err := tx.QueryRow(ctx, lock).Scan(&version); err != nil {
			return err
		}
		record := expand(`UPDATE {s}.schema_version SET version = $1, since = $2 WHERE id = 1`)
		for ; version < len(migrations); version++ {
			m := migrations[version]
			for _, sql := range m.statements {
				if _, err := tx.Exec(ctx, expand(sql)); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, record, version+1, m.compatibleSince); err != nil {
				return err
			}
		}
		return nil
	})
}

// isConcurrentCreate reports whether err is what one of two processes gets that create the same object at once. IF NOT
// EXISTS does not prevent that: it looks before it creates.
func isConcurrentCreate(err error) bool {
	return hasCode(err, "23505", "42P06", "42P07", "42710", "40001", "40P01", "XX000")
}

func hasCode(err error, codes ...string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}
