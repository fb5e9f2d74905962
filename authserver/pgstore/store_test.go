package pgstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func grant(id string) authserver.Grant {
	return authserver.Grant{ID: id, Salt: []byte("0123456789abcdef"), ClientID: "c", Subject: "s", Refresh: true,
		CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour), IdleExpiresAt: epoch.Add(time.Hour), Generation: 1}
}

func TestStore(t *testing.T) {
	for _, row := range []struct{ name, parameter string }{
		{"default mode", ""},
		{"simple protocol", "&default_query_exec_mode=simple_protocol"},
	} {
		t.Run(row.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) authserver.Store {
				cfg := config(t)
				cfg.URL += row.parameter
				return open(t, cfg)
			})
		})
	}
}

func TestQueryExecModes(t *testing.T) {
	for _, mode := range []string{"exec", "describe_exec", "cache_describe", "cache_statement", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			cfg := config(t)
			cfg.URL += "&default_query_exec_mode=" + mode
			s := open(t, cfg)
			g := grant("a")
			g.Nonce = "a client may send a zero byte: \x00"
			g.Scopes = []string{`quoted " and \`, "", "{,}"}
			require.NoError(t, s.Create(t.Context(), g))
			require.NoError(t, s.Advance(t.Context(), authserver.Step{ID: "a", From: 1, To: 2, Now: epoch}))
			g.Generation, g.History = 2, []time.Time{epoch}
			got, err := s.Grant(t.Context(), "a")
			require.NoError(t, err)
			assert.Equal(t, g, got)
			list, err := s.Grants(t.Context(), authserver.Selector{Subject: "s", ClientID: "c", Except: "b"}, epoch, 5)
			require.NoError(t, err)
			assert.Equal(t, []authserver.Grant{g}, list)
			n, err := s.Revoke(t.Context(), authserver.Selector{Subject: "s"}, "user", epoch)
			require.NoError(t, err)
			assert.Equal(t, 1, n)
			n, err = s.Sweep(t.Context(), epoch, 10)
			require.NoError(t, err)
			assert.Equal(t, 1, n)
		})
	}
}

func TestTimeoutIsNoConflict(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	impatient := cfg
	impatient.Timeout = time.Second
	g := grant("a")
	require.NoError(t, s.Create(t.Context(), g))

	// Another transaction locks the row for longer than the timeout.
	conn := dial(t, cfg.URL)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM "+table(cfg, "grants")+" WHERE id = 'a' FOR UPDATE")
	require.NoError(t, err)
	err = open(t, impatient).Advance(t.Context(), authserver.Step{ID: "a", From: 1, To: 2, Now: epoch})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorIs(t, err, authserver.ErrConflict)
	n, err := s.Sweep(t.Context(), epoch.Add(2*time.Hour), 10)
	assert.NoError(t, err, "Sweep does not wait for locks")
	assert.Zero(t, n)
	require.NoError(t, tx.Rollback(t.Context()))

	// The outcome is unknown, as after a lost connection. But the step is never applied in part.
	got, err := s.Grant(t.Context(), "a")
	require.NoError(t, err)
	assert.Len(t, got.History, int(got.Generation)-1)
	require.Eventually(t, func() bool {
		n, err := s.Sweep(t.Context(), epoch.Add(2*time.Hour), 10)
		return err == nil && n == 1
	}, time.Minute, time.Millisecond, "once the row is free")
}

func TestSweepSkipsRefreshedGrants(t *testing.T) {
	s := open(t, config(t))
	for i := range 20 { // codes that live for a minute; every second one is exchanged for tokens, and lives for an hour
		g := grant(fmt.Sprint(i))
		g.Generation, g.IdleExpiresAt = 0, epoch.Add(time.Minute)
		require.NoError(t, s.Create(t.Context(), g))
		if i%2 == 0 {
			require.NoError(
				t,
				s.Advance(t.Context(), authserver.Step{ID: g.ID, To: 1, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)}),
			)
		}
	}
	n, err := s.Sweep(t.Context(), epoch.Add(time.Minute), 10)
	require.NoError(t, err)
	assert.Equal(t, 10, n, "one sweep finds all behind those that live on")
	n, err = s.Sweep(t.Context(), epoch.Add(time.Hour-time.Millisecond), 100)
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = s.Revoke(t.Context(), authserver.Selector{ID: "0"}, "user", epoch.Add(2*time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = s.Sweep(t.Context(), epoch.Add(2*time.Minute), 100)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "a revoked grant is swept before its end")
	n, err = s.Sweep(t.Context(), epoch.Add(time.Hour), 100)
	require.NoError(t, err)
	assert.Equal(t, 9, n)
}

func TestOverlappingRevocationsDoNotDeadlock(t *testing.T) {
	s := open(t, config(t))
	for i := range 100 {
		g := grant(fmt.Sprint(i))
		g.SessionID = "session"
		require.NoError(t, s.Create(t.Context(), g))
	}
	var wg sync.WaitGroup
	var total atomic.Int64
	for i, sel := range []authserver.Selector{{Subject: "s"}, {ClientID: "c"}, {SessionID: "session"},
		{Subject: "s", ClientID: "c"}} {
		wg.Go(func() {
			n, err := s.Revoke(t.Context(), sel, fmt.Sprint(i), epoch)
			assert.NoError(t, err)
			total.Add(int64(n))
		})
	}
	wg.Wait()
	assert.EqualValues(t, 100, total.Load(), "each grant is revoked once")
}

// Another transaction locks one of the last rows. The batches before it stay revoked, and the next call revokes the
// rest.
func TestInterruptedRevocationContinues(t *testing.T) {
	cfg := config(t)
	const n = 2500
	s := open(t, cfg)
	insert := fmt.Sprintf(`INSERT INTO {g} (created_at, expires_at, idle_expires_at, check_at, generation, replays,
		refresh, id, salt, client_id, subject, history)
		SELECT 0, %[1]d, %[1]d, %[1]d, 1, 0, true, to_char(i, 'FM0000'), '', 'c', 's', ''
		FROM generate_series(1, %[2]d) AS i`, epoch.Add(time.Hour).UnixMilli(), n)
	query(t, cfg.URL, withTable(insert, cfg))
	tx, err := dial(t, cfg.URL).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), withTable("SELECT 1 FROM {g} WHERE id = '2400' FOR UPDATE", cfg))
	require.NoError(t, err)
	impatient := cfg
	impatient.URL += "&lock_timeout=100"
	done, err := open(t, impatient).Revoke(t.Context(), authserver.Selector{ClientID: "c", Except: "7"}, "admin", epoch)
	assert.ErrorContains(t, err, "lock timeout")
	assert.Equal(t, 2000, done)
	require.NoError(t, tx.Rollback(t.Context()))
	rest, err := s.Revoke(t.Context(), authserver.Selector{ClientID: "c", Except: "7"}, "admin", epoch.Add(time.Second))
	require.NoError(t, err)
	assert.Equal(t, n-2000, rest)
	g, err := s.Grant(t.Context(), "0001")
	require.NoError(t, err)
	assert.Equal(t, epoch, g.RevokedAt)
}
