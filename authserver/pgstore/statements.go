package pgstore

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bearergate/bearergate/authserver"
)

// statements are the SQL statements, with the schema's name in them. grants is the table's name. Parameters are cast
// wherever their type would be open: as NULL, or as a literal of the simple protocol.
type statements struct {
	grants, create, grant, exists, advance, revoked, once, sweepGrants, postponeChecks, sweepOnce string
	loadKeys, insertKeys, replaceKeys                                                             string
}

// disposableAt is [authserver.Grant.DisposableAt]. LEAST and GREATEST ignore NULL.
const disposableAt = `GREATEST(LEAST(expires_at, idle_expires_at, revoked_at), access_expires_at)`

// dueForCheck selects rows whose check_at has come, and of these the ones that are disposable ("<=") or not yet (">").
const dueForCheck = `SELECT id FROM (SELECT id, ` + disposableAt + ` AS due_at FROM {s}.grants
	WHERE check_at <= $1::bigint ORDER BY check_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED) AS checked
	WHERE due_at %s $1::bigint`

func newStatements(schema string) statements {
	expand := func(sql string) string { return strings.ReplaceAll(sql, "{s}", pgx.Identifier{schema}.Sanitize()) }
	var placeholders []string
	for i := range strings.Count(columns, ",") + 2 { // one more for check_at
		placeholders = append(placeholders, fmt.Sprintf("$%d", i+1))
	}
	return statements{
		grants: expand(`{s}.grants`),

		create: expand(`INSERT INTO {s}.grants (` + columns + `, check_at)
			VALUES (` + strings.Join(placeholders, ", ") + `) ON CONFLICT (id) DO NOTHING`),

		grant: expand(`SELECT ` + columns + ` FROM {s}.grants WHERE id = $1`),

		exists: expand(`SELECT EXISTS (SELECT 1 FROM {s}.grants WHERE id = $1)`),

		// $1 id, $2 from, $3 to, $4 replay, $5 now, $6 now as an entry of history, $7 idle_expires_at or NULL, $8
		// access_expires_at or NULL
		advance: expand(fmt.Sprintf(`UPDATE {s}.grants SET
			generation = $3::bigint,
			history = CASE WHEN $3::bigint = generation THEN history
				WHEN $3::bigint = generation + 1 THEN substr(history || $6::bytea, GREATEST(octet_length(history) - %d, 1))
				ELSE $6::bytea END,
			replays = CASE WHEN $3::bigint = generation THEN replays ELSE 0 END + CASE WHEN $4::boolean THEN 1 ELSE 0 END,
			idle_expires_at = COALESCE($7::bigint, idle_expires_at),
			access_expires_at = GREATEST(access_expires_at, $8::bigint)
			WHERE id = $1 AND generation = $2::bigint AND revoked_at IS NULL
				AND expires_at > $5::bigint AND idle_expires_at > $5::bigint`,
			historyWidth*(authserver.HistoryLength-1)-1)),

		// $1 since, $2 after, $3 now, $4 limit; NULL: none
		revoked: expand(`SELECT id, revoked_at, access_expires_at FROM {s}.grants
			WHERE revoked_at IS NOT NULL AND (revoked_at, id) > ($1::bigint, $2::text COLLATE "C")
				AND access_expires_at > $3::bigint
			ORDER BY revoked_at, id LIMIT $4::bigint`),

		// $1 key, $2 until, $3 now
		once: expand(`INSERT INTO {s}.once AS o (key, until) VALUES ($1, $2::bigint)
			ON CONFLICT (key) DO UPDATE SET until = EXCLUDED.until WHERE o.until <= $3::bigint`),

		// $1 now, $2 how many rows are checked. Rows that another call has locked are skipped. The outer condition is
		// checked again on the locked row, which may have changed.
		sweepGrants: expand(`DELETE FROM {s}.grants WHERE id = ANY (ARRAY(` + fmt.Sprintf(dueForCheck, "<=") + `))
			AND ` + disposableAt + ` <= $1::bigint`),

		// The same for rows that a refresh has extended: they are checked again at their new end.
		postponeChecks: expand(`UPDATE {s}.grants SET check_at = ` + disposableAt + `
			WHERE id = ANY (ARRAY(` + fmt.Sprintf(dueForCheck, ">") + `))`),

		sweepOnce: expand(`DELETE FROM {s}.once WHERE key = ANY (ARRAY(SELECT key FROM {s}.once WHERE until <= $1::bigint
			ORDER BY until LIMIT $2::bigint FOR UPDATE SKIP LOCKED))`),

		loadKeys: expand(`SELECT version, sealed FROM {s}.signing_keys WHERE name = 'rotator'`),
		insertKeys: expand(`INSERT INTO {s}.signing_keys (name, version, sealed) VALUES ('rotator', $1, $2)
			ON CONFLICT (name) DO NOTHING`),
		replaceKeys: expand(`UPDATE {s}.signing_keys SET version = $1, sealed = $2 WHERE name = 'rotator' AND version = $3`),
	}
}

// where returns the condition for sel's rows, and appends its parameters to args. Each combination of fields is a
// statement of its own, and so gets its own plan.
func where(sel authserver.Selector, args []any) (string, []any) {
	var terms []string
	for _, term := range []struct{ column, value string }{
		{"id =", sel.ID}, {"subject =", sel.Subject}, {"client_id =", sel.ClientID}, {"session_id =", sel.SessionID},
		{"id <>", sel.Except},
	} {
		if term.value != "" {
			args = append(args, term.value)
			terms = append(terms, fmt.Sprintf("%s $%d", term.column, len(args)))
		}
	}
	return strings.Join(terms, " AND "), args
}
