package pgstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
)

// For example: go test -run TestPlans -rows 10000000 -v -timeout 1h
var rows = flag.Int("rows", 100_000, "how many grants the table has in TestPlans")

// recorder is a tracer that records the statements as they are sent.
type recorder struct {
	mu   sync.Mutex
	sent []pgx.TraceQueryStartData
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, data)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns what was sent since the last call.
func (r *recorder) take() []pgx.TraceQueryStartData {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// fill inserts grants as a server leaves them: refreshed a few times, with 50 clients, a second grant for one user in
// three, one in 10 000 revoked within the last two minutes, one in 1000 expired.
func fill(t testing.TB, cfg pgstore.Config, n int) {
	t.Helper()
	grants, once := table(cfg, "grants"), table(cfg, "once")
	run := func(sql string) { query(t, cfg.URL, strings.NewReplacer("{g}", grants, "{o}", once).Replace(sql)) }
	indexes := query(
		t,
		cfg.URL,
		"SELECT indexdef FROM pg_indexes WHERE schemaname = $1 AND tablename = 'grants' AND indexname <> 'grants_pkey'",
		cfg.Schema,
	)
	names := query(
		t,
		cfg.URL,
		"SELECT indexname FROM pg_indexes WHERE schemaname = $1 AND tablename = 'grants' AND indexname <> 'grants_pkey'",
		cfg.Schema,
	)
	require.Len(t, indexes, 5)
	for _, name := range names { // created afterwards, as a restore does
		run("DROP INDEX " + table(cfg, name))
	}
	run("ALTER TABLE {g} DROP CONSTRAINT grants_pkey")
	run("ALTER TABLE {g} SET UNLOGGED")
	now := epoch.UnixMilli()
	run(
		fmt.Sprintf(
			`INSERT INTO {g} (created_at, expires_at, idle_expires_at, check_at, generation,
		auth_time, access_expires_at, revoked_at,
		replays, refresh, id, salt, client_id, subject, session_id, scopes, redirect_uri, challenge, nonce, amr, history)
		SELECT at, at + 2592000000, CASE WHEN i %% 1000 = 0 THEN %[1]d - 600000 ELSE %[1]d + 1209600000 - i %% 1000000 END,
			CASE WHEN i %% 1000 = 0 THEN %[1]d - 600000 ELSE %[1]d + 1209600000 - i %% 1000000 END,
			9 + i %% 100, at, %[1]d + CASE WHEN i %% 10000 = 7 THEN 300000 ELSE i %% 700000 - 600000 END,
			CASE WHEN i %% 10000 = 7 THEN %[1]d - i / 10000 %% 120 * 1000 END,
			0, true, translate(substr(encode(sha256(i::text::bytea), 'base64'), 1, 22), '+/', '-_'),
			substr(sha256(i::text::bytea), 1, 16),
			'client-' || i %% 50, 'user-' || md5((i * 3 / 4)::text),
			translate(substr(encode(sha256(('s' || i)::bytea), 'base64'), 1, 22), '+/', '-_'),
			ARRAY['openid', 'profile', 'api1', 'offline_access'], 'https://app.example/signin-oidc',
			substr(encode(sha256(('c' || i)::bytea), 'base64'), 1, 43),
			substr(encode(sha256(('n' || i)::bytea), 'base64'), 1, 22)::bytea, ARRAY['pwd'],
			sha256(i::text::bytea) || sha256(('h' || i)::bytea)
		FROM (SELECT i, %[1]d - (i * 7919::bigint) %% 1296000000 AS at
			FROM generate_series(1, %[2]d::bigint) AS i) AS source`,
			now,
			n,
		),
	)
	run("ALTER TABLE {g} ADD CONSTRAINT grants_pkey PRIMARY KEY (id)")
	for _, index := range indexes {
		run(index)
	}
	run(fmt.Sprintf(`INSERT INTO {o} (key, until)
		SELECT sha256(i::text::bytea), %d + i FROM generate_series(1, %d) AS i`, now, min(n, 20_000)))
	run("VACUUM ANALYZE {g}")
	run("ANALYZE {o}")
}

// TestPlans explains every statement that the store sends, over a large table.
func TestPlans(t *testing.T) {
	cfg := config(t)
	cfg.Timeout = 10 * time.Minute
	record := new(recorder)
	cfg.Configure = func(c *pgxpool.Config) { c.MaxConns, c.ConnConfig.Tracer = 1, record }
	s := open(t, cfg)
	ctx := t.Context()
	fill(t, cfg, *rows)
	grants := table(cfg, "grants")
	id := query(t, cfg.URL, "SELECT id FROM "+grants+" LIMIT 1")[0]
	g, err := s.Grant(ctx, id)
	require.NoError(t, err)
	require.NoError(t, s.SaveKeys(ctx, []byte("state"), ""))
	record.take()

	all := authserver.Selector{Subject: g.Subject, ClientID: g.ClientID, SessionID: g.SessionID, Except: "x"}
	created := grant("new")
	type call struct {
		name string
		do   func() error
	}
	calls := []call{
		{"Create", func() error { return s.Create(ctx, created) }},
		{"Grant", func() error { _, err := s.Grant(ctx, id); return err }},
		{"Advance", func() error {
			return s.Advance(
				ctx,
				authserver.Step{ID: "new", From: 1, To: 2, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour), AccessExpiresAt: epoch},
			)
		}},
		{"Advance with a conflict", func() error {
			if err := s.Advance(ctx, authserver.Step{ID: "new", From: 1, To: 2, Now: epoch}); err != authserver.ErrConflict {
				return fmt.Errorf("want a conflict, got %w", err)
			}
			return nil
		}},
		{"Once", func() error { return s.Once(ctx, "key", epoch, epoch.Add(time.Minute)) }},
		{"Revoked", func() error { return notEmpty(s.Revoked(ctx, time.Time{}, "", epoch, 1001)) }},
		{"Revoked, the next page", func() error { return notEmpty(s.Revoked(ctx, epoch.Add(-time.Minute), "a", epoch, 3)) }},
		{
			"Revoked, as one poll reads it",
			func() error { return notEmpty(s.Revoked(ctx, epoch.Add(-90*time.Second), "", epoch, 1001)) },
		},
		{"Sweep", func() error { _, err := s.Sweep(ctx, epoch, 200); return err }},
		{"LoadKeys", func() error { _, _, err := s.LoadKeys(ctx); return err }},
	}
	for _, sel := range []struct {
		name string
		authserver.Selector
	}{
		{"id", authserver.Selector{ID: id, Subject: g.Subject}},
		{"subject", authserver.Selector{Subject: g.Subject}},
		{"subject and client", authserver.Selector{Subject: g.Subject, ClientID: g.ClientID}},
		{"client", authserver.Selector{ClientID: g.ClientID}},
		{"session", authserver.Selector{SessionID: g.SessionID}},
		{"all but one", all},
	} {
		calls = append(calls,
			call{"Grants by " + sel.name, func() error { _, err := s.Grants(ctx, sel.Selector, epoch, 20); return err }},
			call{"Revoke by " + sel.name, func() error { _, err := s.Revoke(ctx, sel.Selector, "user", epoch); return err }})
	}
	conn := dial(t, cfg.URL)
	fullScan := regexp.MustCompile(`Seq Scan on (grants|once)\b`)
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			begin := time.Now()
			require.NoError(t, call.do())
			t.Logf("took %v", time.Since(begin).Round(10*time.Microsecond))
			sent := record.take()
			require.NotEmpty(t, sent)
			for _, q := range sent {
				plan := explain(t, conn, q)
				assert.NotRegexp(t, fullScan, plan)
				if !strings.Contains(q.SQL, "signing_keys") && !strings.HasPrefix(q.SQL, "INSERT") { // one row needs no index
					assert.Contains(t, plan, "Index")
				}
				if strings.HasPrefix(call.name, "Revoked") {
					assert.Contains(t, plan, "grants_by_revocation")
					assert.NotContains(t, plan, "Sort", "the index provides the order")
				}
				t.Logf("%s\n%s", q.SQL, plan)
			}
		})
	}
	for _, size := range []string{"pg_relation_size('{g}')", "pg_indexes_size('{g}')"} {
		bytes := query(
			t,
			cfg.URL,
			"SELECT round("+strings.ReplaceAll(size, "{g}", strings.ReplaceAll(grants, "'", "''"))+"::numeric / $1, 1)",
			*rows,
		)
		t.Logf("%s: %s bytes per grant", size, bytes[0])
	}
	const indexSizes = "SELECT indexrelname || ' ' || round(pg_relation_size(indexrelid)::numeric / $1, 1)" +
		" FROM pg_stat_user_indexes WHERE schemaname = $2"
	for _, line := range query(t, cfg.URL, indexSizes, *rows, cfg.Schema) {
		t.Log(line, "bytes per grant")
	}
}

// notEmpty returns an error if a list is empty.
func notEmpty(found []authserver.Revocation, err error) error {
	if err == nil && len(found) == 0 {
		return errors.New("nothing was found")
	}
	return err
}

// explain returns the plan of a statement with its arguments.
func explain(t testing.TB, conn *pgx.Conn, q pgx.TraceQueryStartData) string {
	t.Helper()
	found, err := conn.Query(t.Context(), "EXPLAIN "+q.SQL, append([]any{pgx.QueryExecModeSimpleProtocol}, q.Args...)...)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(found, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}

func TestRefreshIsHotUpdate(t *testing.T) {
	cfg := config(t)
	record := new(recorder)
	cfg.Configure = func(c *pgxpool.Config) { c.ConnConfig.Tracer = record }
	s := open(t, cfg)
	ctx := t.Context()
	require.NoError(t, s.Create(ctx, grant("a")))
	record.take()
	step := authserver.Step{
		ID:              "a",
		From:            1,
		To:              2,
		Now:             epoch,
		IdleExpiresAt:   epoch.Add(2 * time.Hour),
		AccessExpiresAt: epoch.Add(time.Hour),
	}
	require.NoError(t, s.Advance(ctx, step))
	sent := record.take()
	require.Len(t, sent, 1, "one statement")

	conn := dial(t, cfg.URL)
	tx, err := conn.Begin(ctx) // within a transaction PostgreSQL reports its counters at once
	require.NoError(t, err)
	hot := func() (n int64) {
		require.NoError(
			t,
			tx.QueryRow(ctx, "SELECT pg_stat_get_xact_tuples_hot_updated($1::regclass)", table(cfg, "grants")).Scan(&n),
		)
		return n
	}
	before := hot()
	args := append([]any{}, sent[0].Args...)
	args[1], args[2] = int64(2), int64(3)
	for _, end := range []int{6, 7} { // a minute later, as in every refresh: equal values would not count as changes
		ms, ok := args[end].(int64)
		require.True(t, ok)
		args[end] = ms + 60_000
	}
	tag, err := tx.Exec(ctx, sent[0].SQL, args...)
	require.NoError(t, err)
	require.EqualValues(t, 1, tag.RowsAffected())
	assert.Equal(t, before+1, hot())
	require.NoError(t, tx.Rollback(ctx))
}
