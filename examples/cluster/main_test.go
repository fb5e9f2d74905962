package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/examples/internal/program"
)

// TestMain lets the test binary be one of the processes of the cluster.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && processes[os.Args[1]] != nil {
		os.Exit(runProcess(os.Args[1]))
	}
	logRedis(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// shortRun returns options for a short run with real processes.
func shortRun(store string) *options {
	return &options{Store: store, Nodes: 2, APIs: 1, Clients: 10, For: 5 * time.Second, Kill: time.Second,
		RestartStore: true, AppendFsync: always, MaxRollback: -1, AccessLifetime: 30 * time.Second, Grace: 10 * time.Second,
		KeyRotation: 1500 * time.Millisecond, Double: 20, Revoke: 1}
}

// secrets matches what the program must never print.
var secrets = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}|(rt1|ac1)_[A-Za-z0-9_-]{8,}|SealKey|RefreshKeys|APISecret`)

func TestNothingIsLost(t *testing.T) {
	for _, row := range []struct {
		name   string
		store  string
		change func(*options)
		check  func(t *testing.T, c *results)
	}{
		{"PostgreSQL crashes", kindPostgres, nil, nil},
		{"power cut of Redis with appendfsync always", kindRedis, func(o *options) { o.PowerCut = true }, nil},
		{"power cut of Redis with appendfsync everysec", kindRedis,
			func(o *options) { o.PowerCut, o.AppendFsync = true, everysec },
			func(t *testing.T, c *results) {
				assert.NotZero(t, c.events["refresh.healed"], "the power cut lost writes, and the grants were healed")
				assert.Zero(t, c.rolledBack.Load())
			}},
		{"power cut of Redis with appendfsync everysec, without healing", kindRedis,
			func(o *options) { o.PowerCut, o.AppendFsync, o.MaxRollback = true, everysec, 0 },
			func(t *testing.T, c *results) {
				assert.NotZero(t, c.rolledBack.Load(), "grants ahead of the store are lost, and counted as such")
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if err := installed(row.store); err != nil && os.Getenv("CI") == "" {
				t.Skip(err)
			}
			o := shortRun(row.store)
			if row.change != nil {
				row.change(o)
			}
			var out bytes.Buffer
			c, err := o.run(t.Context(), &out, slog.New(slog.DiscardHandler))
			require.NoError(t, err, out.String())
			assert.True(t, c.ok(o.mayLoseWrites()), out.String())
			assert.NotZero(t, c.kills.Load())
			assert.EqualValues(t, 1, c.restarts.Load())
			assert.NotZero(t, c.events["refresh.replayed"])
			assert.Greater(t, len(c.kids), 1, "signing keys were rotated")
			if o.MaxRollback > 0 || !o.mayLoseWrites() {
				assert.EqualValues(t, o.Clients-o.Revoke, c.oneTokenWorks.Load())
				assert.EqualValues(t, o.Clients-o.Revoke, c.reuseDetected.Load())
			}
			if !o.mayLoseWrites() {
				assert.EqualValues(t, o.Revoke, c.revoked.Load())
				assert.Len(t, c.revocationDelays, o.Revoke*o.APIs, "each API rejected the token of the revoked grant")
			}
			assert.NotRegexp(t, secrets, out.String())
			if row.check != nil {
				row.check(t, c)
			}
			t.Log(out.String())
		})
	}
}

// After an interrupt no process and no file is left.
func TestInterruptStopsEverything(t *testing.T) {
	if err := installed(kindRedis); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	require.NoError(t, os.Chmod(os.Getenv("TMPDIR"), 0o755)) //nolint:gosec // it is empty
	o := shortRun(kindRedis)
	o.For = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	_, err := o.run(ctx, writer(func(p []byte) (int, error) { // the first line is printed when everything runs
		cancel()
		return out.Write(p)
	}), slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left, "no temporary file")
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestBadFlagIsNamedInOneLine(t *testing.T) {
	for _, args := range []string{
		"-colour", "-store mysql", "-nodes 0", "-clients -1", "-for 0s", "-for soon", "-kill -1s",
		"-appendfsync no", "-store redis -grace 2m",
		"-restart-store -postgres postgres://127.0.0.1/x", "-power-cut", "-store redis -power-cut",
		"-redis redis://127.0.0.1", "-postgres http://x", "-store redis -redis x", "-outage 1s", "-restart-store -outage 31s",
		"-double 101", "-clients 5 -revoke 5", "-max-rollback -2", "-appendfsync everysec",
		"-store redis -appendfsync always -redis redis://127.0.0.1", "-key-rotation 0s", "-access-token-lifetime 1s",
	} {
		t.Run(args, func(t *testing.T) {
			var o options
			var stdout, stderr bytes.Buffer
			code := program.Run(t.Context(), "cluster", strings.Fields(args), &stdout, &stderr, o.define, o.main)
			assert.Equal(t, program.ExitUsage, code)
			assert.Empty(t, stdout.String())
			assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %s", stderr.String())
			named := false
			for _, arg := range strings.Fields(args) {
				named = named || strings.HasPrefix(arg, "-") && strings.Contains(stderr.String(), arg)
			}
			assert.True(t, named, stderr.String())
		})
	}
}
