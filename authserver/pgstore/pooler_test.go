package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
	"github.com/bearergate/bearergate/authserver/storetest"
)

// pooler runs PgBouncer in transaction mode before the server, with fewer connections to it than the stores have to
// PgBouncer. Without PgBouncer on this machine the test is skipped, but not in CI.
func pooler(t *testing.T) (url string) {
	t.Helper()
	bouncer, err := exec.LookPath("pgbouncer")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("there is no PgBouncer: ", err)
	}
	require.NoError(t, err)
	target, err := pgx.ParseConfig(serverURL(t))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	dir, err := os.MkdirTemp("", "pgbouncer") // not t.TempDir, which another user cannot reach
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	database := fmt.Sprintf("host=%s port=%d dbname=%s user=%s", target.Host, target.Port, target.Database, target.User)
	if target.Password != "" {
		database += " password='" + strings.ReplaceAll(target.Password, "'", "''") + "'"
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `[databases]
pooled = %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`, database, port), 0o600))
	cmd := exec.Command(bouncer, "-q", file)
	if os.Geteuid() == 0 { // PgBouncer refuses to run as root
		u, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		for _, path := range []string{dir, file} {
			require.NoError(t, os.Chown(path, uid, gid))
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url = fmt.Sprintf("postgres://anybody@127.0.0.1:%d/pooled?sslmode=disable", port)
	require.Eventually(t, func() bool { return ping(url) == nil }, 30*time.Second, 20*time.Millisecond)
	return url
}

// Through the pooler, each statement may get another connection.
func TestPgBouncer(t *testing.T) {
	poolerURL := pooler(t)
	t.Run("storetest", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) authserver.Store {
			cfg := config(t)
			cfg.URL = poolerURL
			return open(t, cfg)
		})
	})
	t.Run("sealed keys", func(t *testing.T) {
		storetest.RunSealedKeys(t, func(t *testing.T) storetest.SealedKeys {
			cfg := config(t)
			cfg.URL = poolerURL
			return sealedKeys(cfg)
		})
	})
}

// TestConnectionsKeepNoSessionState inspects a connection each time that the store releases it.
func TestConnectionsKeepNoSessionState(t *testing.T) {
	cfg := config(t)
	const sessionState = `SELECT 'statement ' || statement FROM pg_prepared_statements
		UNION ALL SELECT 'cursor ' || name FROM pg_cursors
		UNION ALL SELECT 'channel ' || c FROM pg_listening_channels() AS c
		UNION ALL SELECT 'lock ' || mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'
		UNION ALL SELECT 'setting ' || name FROM pg_settings WHERE source = 'session'
		UNION ALL SELECT 'temporary schema' WHERE pg_my_temp_schema() <> 0`
	var mu sync.Mutex
	inspected, found := 0, []string{}
	cfg.Configure = func(c *pgxpool.Config) {
		c.MaxConns = 2
		c.AfterRelease = func(conn *pgx.Conn) bool {
			mu.Lock()
			defer mu.Unlock()
			rows, err := conn.Query(context.Background(), sessionState, pgx.QueryExecModeSimpleProtocol)
			if err == nil {
				var more []string
				more, err = pgx.CollectRows(rows, pgx.RowTo[string])
				found = append(found, more...)
			}
			if err != nil {
				found = append(found, err.Error())
			}
			inspected++
			return true
		}
	}
	s, err := pgstore.Open(t.Context(), cfg)
	require.NoError(t, err)
	for i := range 5 {
		ctx, g := t.Context(), grant(fmt.Sprint(i))
		require.NoError(t, s.Create(ctx, g))
		assert.ErrorIs(t, s.Create(ctx, g), authserver.ErrConflict)
		require.NoError(t, s.Advance(ctx, authserver.Step{ID: g.ID, From: 1, To: 2, Now: epoch}))
		assert.ErrorIs(t, s.Advance(ctx, authserver.Step{ID: g.ID, From: 1, To: 2, Now: epoch}), authserver.ErrConflict)
		_, err := s.Grant(ctx, g.ID)
		require.NoError(t, err)
		_, err = s.Grants(ctx, authserver.Selector{Subject: g.Subject}, epoch, 10)
		require.NoError(t, err)
		_, err = s.Revoke(ctx, authserver.Selector{Subject: g.Subject}, "user", epoch)
		require.NoError(t, err)
		_, err = s.Revoked(ctx, time.Time{}, "", epoch, 10)
		require.NoError(t, err)
		require.NoError(t, s.Once(ctx, g.ID, epoch, epoch.Add(time.Second)))
		_, err = s.Sweep(ctx, epoch.Add(time.Hour), 10)
		require.NoError(t, err)
		_, version, err := s.LoadKeys(ctx)
		require.NoError(t, err)
		require.NoError(t, s.SaveKeys(ctx, []byte("state"), version))
	}
	require.NoError(t, s.Close()) // waits for AfterRelease
	mu.Lock()
	defer mu.Unlock()
	assert.Greater(t, inspected, 50)
	assert.Empty(t, found)
}

// A statement that the server cancels is a failure, never a conflict, and changes nothing.
func TestServerTimeouts(t *testing.T) {
	for _, row := range []struct{ parameter, code string }{
		{"statement_timeout=100", "57014"}, {"lock_timeout=100", "55P03"},
	} {
		t.Run(row.parameter, func(t *testing.T) {
			cfg := config(t)
			direct := open(t, cfg)
			g := grant("a")
			require.NoError(t, direct.Create(t.Context(), g))
			cfg.URL += "&" + row.parameter
			s := open(t, cfg)
			tx, err := dial(t, cfg.URL).Begin(t.Context())
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), withTable("SELECT 1 FROM {g} FOR UPDATE", cfg))
			require.NoError(t, err)
			step := authserver.Step{ID: "a", From: 1, To: 2, Now: epoch}
			for name, call := range map[string]func() error{
				"Advance": func() error { return s.Advance(t.Context(), step) },
				"Revoke": func() error {
					_, err := s.Revoke(t.Context(), authserver.Selector{ID: "a"}, "user", epoch)
					return err
				},
				"Revoke by subject": func() error {
					_, err := s.Revoke(t.Context(), authserver.Selector{Subject: "s"}, "user", epoch)
					return err
				},
			} {
				err := call()
				require.Error(t, err, name)
				var e *pgconn.PgError
				require.ErrorAs(t, err, &e, name)
				assert.Equal(t, row.code, e.Code, name)
				assert.False(t, errors.Is(err, authserver.ErrConflict) || errors.Is(err, authserver.ErrNotFound), name)
			}
			n, err := s.Sweep(t.Context(), epoch.Add(2*time.Hour), 10)
			assert.NoError(t, err, "Sweep does not wait for locks")
			assert.Zero(t, n)
			got, err := s.Grant(t.Context(), "a")
			require.NoError(t, err, "reads do not wait for locks")
			assert.Equal(t, g, got)
			require.NoError(t, tx.Rollback(t.Context()))
			assert.NoError(t, s.Advance(t.Context(), step))
		})
	}
}
