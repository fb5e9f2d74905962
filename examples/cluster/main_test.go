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

// TestMain turns the test binary into one of the parts when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && parts[os.Args[1]] != nil {
		os.Exit(runPart(os.Args[1]))
	}
	logRedis(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// a run that is small enough for a test: it starts real processes and ends by itself.
func short(store string) *options {
	return &options{Store: store, Nodes: 2, APIs: 1, Sessions: 10, For: 5 * time.Second, Kill: time.Second, RestartStore: true,
		AppendFsync: always, MaxRollback: -1, AccessLifetime: 30 * time.Second, Grace: 10 * time.Second, KeyRotation: 1500 * time.Millisecond, Double: 20, Revoke: 1}
}

// secretsInLogs are the shapes of what nothing may print.
var secretsInLogs = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}|(rt1|ac1)_[A-Za-z0-9_-]{8,}|SealKey|RefreshKeys|APISecret`)

func TestNothingIsLost(t *testing.T) {
	for _, row := range []struct {
		name   string
		store  string
		change func(*options)
		check  func(t *testing.T, c *tally)
	}{
		{"over PostgreSQL, which crashes", kindPostgres, nil, nil},
		{"over Redis, which syncs always and whose power is cut", kindRedis, func(o *options) { o.PowerCut = true }, nil},
		{"over Redis, which syncs every second and whose power is cut", kindRedis,
			func(o *options) { o.PowerCut, o.AppendFsync = true, everysec },
			func(t *testing.T, c *tally) {
				assert.NotZero(t, c.events["refresh.healed"], "the cut took something away, and the sessions went on")
				assert.Zero(t, c.rolledBack.Load())
			}},
		{"over Redis, which forgets and may not be healed", kindRedis,
			func(o *options) { o.PowerCut, o.AppendFsync, o.MaxRollback = true, everysec, 0 },
			func(t *testing.T, c *tally) {
				assert.NotZero(t, c.rolledBack.Load(), "sessions that were ahead are over, and are counted as what they are")
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if err := installed(row.store); err != nil && os.Getenv("CI") == "" {
				t.Skip(err)
			}
			o := short(row.store)
			if row.change != nil {
				row.change(o)
			}
			var out bytes.Buffer
			c, err := o.run(t.Context(), &out, slog.New(slog.DiscardHandler))
			require.NoError(t, err, out.String())
			assert.True(t, c.ok(o.mayLose()), out.String())
			assert.NotZero(t, c.kills.Load())
			assert.EqualValues(t, 1, c.restarts.Load())
			assert.NotZero(t, c.events["refresh.replayed"])
			assert.Greater(t, len(c.kids), 1, "signing keys were rotated meanwhile")
			if o.MaxRollback > 0 || !o.mayLose() {
				assert.EqualValues(t, o.Sessions-o.Revoke, c.onlyOne.Load())
				assert.EqualValues(t, o.Sessions-o.Revoke, c.thieves.Load())
			}
			if !o.mayLose() {
				assert.EqualValues(t, o.Revoke, c.revoked.Load())
				assert.Len(t, c.ends, o.Revoke*o.APIs, "each API refused the tokens of the session that was revoked")
			}
			assert.NotRegexp(t, secretsInLogs, out.String())
			if row.check != nil {
				row.check(t, c)
			}
			t.Log(out.String())
		})
	}
}

// Ended by a signal it leaves neither processes nor files.
func TestAnInterruptEndsEverything(t *testing.T) {
	if err := installed(kindRedis); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	require.NoError(t, os.Chmod(os.Getenv("TMPDIR"), 0o755)) //nolint:gosec // nothing is in it
	o := short(kindRedis)
	o.For = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	_, err := o.run(ctx, writer(func(p []byte) (int, error) { // the first line comes when everything runs
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

func TestABadFlagEndsWithOneLineThatNamesIt(t *testing.T) {
	for _, args := range []string{
		"-colour", "-store mysql", "-nodes 0", "-sessions -1", "-for 0s", "-for soon", "-kill -1s", "-appendfsync no", "-store redis -grace 2m",
		"-restart-store -postgres postgres://127.0.0.1/x", "-power-cut", "-store redis -power-cut", "-redis redis://127.0.0.1", "-postgres http://x", "-store redis -redis x", "-away 1s", "-restart-store -away 31s", "-double 101", "-sessions 5 -revoke 5",
		"-max-rollback -2", "-appendfsync everysec", "-store redis -appendfsync always -redis redis://127.0.0.1", "-key-rotation 0s", "-access-token-lifetime 1s",
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
