package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrSchemaTooNew says that the tables are of a later release that this one can't work with. Nothing was changed.
var ErrSchemaTooNew = errors.New("pgstore: the schema is of a later release")

// migration is one change of the schema. What it leaves must serve releases whose own schema is since or later.
type migration struct {
	since      int
	statements []string
}

// migrations in order; the first makes version 1. One that was released is never changed again. {s} is the schema.
var migrations = []migration{{since: 1, statements: []string{ // 1
	// Columns of fixed width come first: so there is no padding between them. COLLATE "C" makes comparing cheap, and an index survives
	// when the operating system changes its collations. nonce is what the client sent, which may have a zero byte. The space that
	// fillfactor leaves is for the new version of a row that is refreshed: in the same page it needs no index entry.
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
	`CREATE TABLE {s}.signing_keys (name text COLLATE "C" NOT NULL PRIMARY KEY, version text NOT NULL, sealed bytea NOT NULL)`,
}}, {since: 1, statements: []string{ // 2
	// What Revoked reads. access_expires_at is not in it, neither as INCLUDE nor in the condition: a refresh changes that column, and one
	// that any index mentions, a partial one and for other rows too, costs every refresh new entries in all indexes. It would spare
	// little: an index-only scan looks at the table all the same for pages that were changed lately, and these are.
	//
	// Built under a lock that lets others read and not write, for one pass over the table. IF NOT EXISTS is for those who have built
	// it beforehand with CONCURRENTLY, which can't run in a transaction: the step would not be all or nothing, and a build that
	// failed leaves an index behind that is not valid.
	`CREATE INDEX IF NOT EXISTS grants_by_revocation ON {s}.grants (revoked_at, id) WHERE revoked_at IS NOT NULL`,
}}}

// migrateAttempts is how often the schema is tried: each time one fails, another process has got on with it.
const migrateAttempts = 20

// migrate makes or changes the schema if need be.
func migrate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	expand := func(sql string) string { return strings.ReplaceAll(sql, "{s}", pgx.Identifier{schema}.Sanitize()) }
	var err error
	for range migrateAttempts {
		var done bool
		if done, err = upToDate(ctx, pool, expand); done || (err != nil && !racing(err)) {
			return err
		}
		if err = prepare(ctx, pool, expand); err == nil {
			err = step(ctx, pool, expand)
		}
		if err != nil && !racing(err) {
			return err
		}
	}
	return err
}

// upToDate only reads, so that a process that starts needs no right to change anything as a rule.
func upToDate(ctx context.Context, pool *pgxpool.Pool, expand func(string) string) (bool, error) {
	var version, since int
	err := pool.QueryRow(ctx, expand(`SELECT version, since FROM {s}.schema_version WHERE id = 1`)).Scan(&version, &since)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || hasCode(err, "42P01", "3F000"): // no row, no table, no schema
		return false, nil
	case err != nil:
		return false, err
	case since > len(migrations):
		return false, fmt.Errorf("%w: it is version %d, this release knows %d", ErrSchemaTooNew, version, len(migrations))
	}
	return version >= len(migrations), nil
}

// prepare makes the row that the processes line up at.
func prepare(ctx context.Context, pool *pgxpool.Pool, expand func(string) string) error {
	var there bool
	err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)`,
		strings.ReplaceAll(strings.Trim(expand("{s}"), `"`), `""`, `"`)).Scan(&there)
	if err != nil {
		return err
	}
	if !there { // IF NOT EXISTS alone would ask for the right to create schemas even when there is one
		if _, err := pool.Exec(ctx, expand(`CREATE SCHEMA IF NOT EXISTS {s}`)); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		`CREATE TABLE IF NOT EXISTS {s}.schema_version (id integer NOT NULL PRIMARY KEY, version integer NOT NULL, since integer NOT NULL)`,
		`INSERT INTO {s}.schema_version (id, version, since) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING`,
	} {
		if _, err := pool.Exec(ctx, expand(sql)); err != nil {
			return err
		}
	}
	return nil
}

// step applies what is missing in one transaction, which holds the row: other processes wait for it and then find nothing to do.
func step(ctx context.Context, pool *pgxpool.Pool, expand func(string) string) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var version int
		if err := tx.QueryRow(ctx, expand(`SELECT version FROM {s}.schema_version WHERE id = 1 FOR UPDATE`)).Scan(&version); err != nil {
			return err
		}
		for ; version < len(migrations); version++ {
			m := migrations[version]
			for _, sql := range m.statements {
				if _, err := tx.Exec(ctx, expand(sql)); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, expand(`UPDATE {s}.schema_version SET version = $1, since = $2 WHERE id = 1`), version+1, m.since); err != nil {
				return err
			}
		}
		return nil
	})
}

// racing tells whether err is what two processes get that create the same thing: IF NOT EXISTS looks before it creates.
func racing(err error) bool {
	return hasCode(err, "23505", "42P06", "42P07", "42710", "40001", "40P01", "XX000")
}

func hasCode(err error, codes ...string) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}
