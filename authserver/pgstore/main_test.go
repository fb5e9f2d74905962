package pgstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver/pgstore"
)

func TestMain(m *testing.M) {
	code := m.Run()
	stopStarted()
	os.Exit(code)
}

var stopStarted = func() {}

// serverURL returns the URL of a PostgreSQL server: that in PGSTORE_TEST_URL, or the one on the usual port, or one that
// is started for the tests. Without any, the test is skipped, or fails where CI is set.
func serverURL(t testing.TB) string {
	t.Helper()
	url, err := findServer()
	if err != nil && os.Getenv("CI") == "" && os.Getenv("PGSTORE_TEST_URL") == "" {
		t.Skip("there is no PostgreSQL: ", err)
	}
	require.NoError(t, err)
	return url
}

var findServer = sync.OnceValues(func() (string, error) {
	if url := os.Getenv("PGSTORE_TEST_URL"); url != "" {
		return url, ping(url)
	}
	usual := "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"
	if ping(usual) == nil {
		return usual, nil
	}
	return startServer()
})

func ping(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// startServer starts PostgreSQL in a temporary directory. PostgreSQL refuses to run as root; then it runs as the user
// postgres.
func startServer() (string, error) {
	tools, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(tools)
	path := os.Getenv("PATH")
	if len(tools) > 0 {
		path = tools[0] + ":" + path
	}
	if err := os.Setenv("PATH", path); err != nil {
		return "", err
	}
	if _, err := exec.LookPath("initdb"); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "pgstore")
	if err != nil {
		return "", err
	}
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return "", err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			return "", err
		}
	}
	run := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	data := filepath.Join(dir, "data")
	stopStarted = func() {
		_ = run("pg_ctl", "stop", "-D", data, "-m", "immediate")
		_ = os.RemoveAll(dir)
	}
	err = errors.Join(l.Close(), run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"))
	if err != nil {
		return "", err
	}
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=", port)
	if err := run("pg_ctl", "start", "-w", "-D", data, "-l", filepath.Join(dir, "log"), "-o", options); err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), nil
}

var sealKey = []byte("0123456789abcdef0123456789abcdef")

// config returns the configuration of a store in a new schema, which is dropped when the test ends.
func config(t testing.TB) pgstore.Config {
	t.Helper()
	url := serverURL(t)
	schema := "bearergate test " + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() { query(t, url, `DROP SCHEMA IF EXISTS "`+schema+`" CASCADE`) })
	return pgstore.Config{URL: url, Schema: schema, SealKeys: [][]byte{sealKey}, Timeout: time.Minute,
		Configure: func(c *pgxpool.Config) { c.MaxConns = 8 }}
}

func open(t testing.TB, cfg pgstore.Config) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// dial returns a connection of the test's own, which may lead through a pooler.
func dial(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close(context.Background())) })
	return conn
}

// query runs one statement and returns the first column of its rows as text.
func query(t testing.TB, url, sql string, args ...any) []string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close(ctx)) }()
	rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	require.NoError(t, err)
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		if len(row.RawValues()) == 0 {
			return "", nil
		}
		return string(row.RawValues()[0]), nil
	})
	require.NoError(t, err)
	return out
}

// withTable replaces {g} by the name of the table of grants.
func withTable(sql string, cfg pgstore.Config) string {
	return strings.ReplaceAll(sql, "{g}", table(cfg, "grants"))
}

// table returns the qualified name of a table.
func table(cfg pgstore.Config, name string) string {
	return pgx.Identifier{cfg.Schema, name}.Sanitize()
}
