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
	return authserver.Grant{ID: id, Salt: []byte("0123456789abcdef"), ClientID: "c", Subject: "s", Refresh: true, CreatedAt: epoch,
		ExpiresAt: epoch.Add(time.Hour), IdleExpiresAt: epoch.Add(time.Hour), Generation: 1}
}

func TestStore(t *testing.T) {
	for _, row := range []struct{ name, parameter string }{
		{"as it comes", ""},
		{"with the simple protocol", "&default_query_exec_mode=simple_protocol"},
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

func TestEveryWayToSendStatementsWorks(t *testing.T) {
	for _, mode := range []string{"exec", "describe_exec", "cache_describe", "cache_statement", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			cfg := config(t)
			cfg.URL += "&default_query_exec_mode=" + mode
			s := open(t, cfg)
			g := grant("a")
			g.Nonce = "a zero byte \x00 is what a client may send"
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

func TestFailuresAreNotTakenForConflicts(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	hurried := cfg
	hurried.Timeout = time.Second
	g := grant("a")
	require.NoError(t, s.Create(t.Context(), g))

	// Somebody holds the row for longer than a call may take.
	conn := dial(t, cfg.URL)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM "+table(cfg, "grants")+" WHERE id = 'a' FOR UPDATE")
	require.NoError(t, err)
	err = open(t, hurried).Advance(t.Context(), authserver.Step{ID: "a", From: 1, To: 2, Now: epoch})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorIs(t, err, authserver.ErrConflict)
	n, err := s.Sweep(t.Context(), epoch.Add(2*time.Hour), 10)
	assert.NoError(t, err, "a sweep waits for nobody")
	assert.Zero(t, n)
	require.NoError(t, tx.Rollback(t.Context()))

	// Whether it was carried out in the end is unknown, as with a lost connection; but never by half.
	got, err := s.Grant(t.Context(), "a")
	require.NoError(t, err)
	assert.Len(t, got.History, int(got.Generation)-1)
	require.Eventually(t, func() bool {
		n, err := s.Sweep(t.Context(), epoch.Add(2*time.Hour), 10)
		return err == nil && n == 1
	}, time.Minute, time.Millisecond, "once the row is free")
}

func TestSweepLeavesWhatWasRefreshed(t *testing.T) {
	s := open(t, config(t))
	for i := range 20 { // codes that live for a minute; every second one is exchanged for a session of an hour
		g := grant(fmt.Sprint(i))
		g.Generation, g.IdleExpiresAt = 0, epoch.Add(time.Minute)
		require.NoError(t, s.Create(t.Context(), g))
		if i%2 == 0 {
			require.NoError(t, s.Advance(t.Context(), authserver.Step{ID: g.ID, To: 1, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)}))
		}
	}
	n, err := s.Sweep(t.Context(), epoch.Add(time.Minute), 10)
	require.NoError(t, err)
	assert.Equal(t, 10, n, "one sweep gets past those that live on")
	n, err = s.Sweep(t.Context(), epoch.Add(time.Hour-time.Millisecond), 100)
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = s.Revoke(t.Context(), authserver.Selector{ID: "0"}, "user", epoch.Add(2*time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = s.Sweep(t.Context(), epoch.Add(2*time.Minute), 100)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "what is revoked need not wait for its end")
	n, err = s.Sweep(t.Context(), epoch.Add(time.Hour), 100)
	require.NoError(t, err)
	assert.Equal(t, 9, n)
}

// TestSweepsAndRefreshesAtOnce lets sweeps run against refreshes that give rows a longer life at the moment they are due.
func TestSweepsAndRefreshesAtOnce(t *testing.T) {
	s := open(t, config(t))
	const rows = 200
	for i := range rows {
		g := grant(fmt.Sprint(i))
		g.IdleExpiresAt = epoch.Add(time.Second)
		require.NoError(t, s.Create(t.Context(), g))
	}
	var wg sync.WaitGroup
	var swept, refreshed atomic.Int64
	alive := make([]bool, rows)
	for range 3 {
		wg.Go(func() {
			for range 30 {
				n, err := s.Sweep(t.Context(), epoch.Add(time.Second), 20)
				assert.NoError(t, err)
				swept.Add(int64(n))
			}
		})
	}
	for w := range 2 {
		wg.Go(func() {
			for i := w; i < rows; i += 2 {
				err := s.Advance(t.Context(), authserver.Step{ID: fmt.Sprint(i), From: 1, To: 2, Now: epoch, IdleExpiresAt: epoch.Add(time.Minute)})
				if err == nil {
					alive[i] = true
					refreshed.Add(1)
				} else {
					assert.ErrorIs(t, err, authserver.ErrNotFound)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, rows, swept.Load()+refreshed.Load(), "each row was either deleted once or refreshed")
	for i := range rows {
		_, err := s.Grant(t.Context(), fmt.Sprint(i))
		if alive[i] {
			assert.NoError(t, err, "row %d was refreshed", i)
		} else {
			assert.ErrorIs(t, err, authserver.ErrNotFound)
		}
	}
}

func TestRevocationsThatOverlapDoNotBlockEachOther(t *testing.T) {
	s := open(t, config(t))
	for i := range 100 {
		g := grant(fmt.Sprint(i))
		g.SessionID = "session"
		require.NoError(t, s.Create(t.Context(), g))
	}
	var wg sync.WaitGroup
	var total atomic.Int64
	for i, sel := range []authserver.Selector{{Subject: "s"}, {ClientID: "c"}, {SessionID: "session"}, {Subject: "s", ClientID: "c"}} {
		wg.Go(func() {
			n, err := s.Revoke(t.Context(), sel, fmt.Sprint(i), epoch)
			assert.NoError(t, err)
			total.Add(int64(n))
		})
	}
	wg.Wait()
	assert.EqualValues(t, 100, total.Load(), "each once")
}

// TestRevocationOfManyStopsInTheMiddle: somebody holds one of the last rows. What is done stays done, and the next call does the rest.
func TestRevocationOfManyStopsInTheMiddle(t *testing.T) {
	cfg := config(t)
	const n = 2500
	s := open(t, cfg)
	query(t, cfg.URL, replace(fmt.Sprintf(`INSERT INTO {g} (created_at, expires_at, idle_expires_at, check_at, generation, replays, refresh, id, salt,
		client_id, subject, history) SELECT 0, %[1]d, %[1]d, %[1]d, 1, 0, true, to_char(i, 'FM0000'), '', 'c', 's', '' FROM generate_series(1, %[2]d) AS i`,
		epoch.Add(time.Hour).UnixMilli(), n), cfg))
	tx, err := dial(t, cfg.URL).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), replace("SELECT 1 FROM {g} WHERE id = '2400' FOR UPDATE", cfg))
	require.NoError(t, err)
	hasty := cfg
	hasty.URL += "&lock_timeout=100"
	done, err := open(t, hasty).Revoke(t.Context(), authserver.Selector{ClientID: "c", Except: "7"}, "admin", epoch)
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

func TestKeysToRememberMayBeLong(t *testing.T) {
	s := open(t, config(t))
	key := string(make([]byte, 100_000))
	require.NoError(t, s.Once(t.Context(), key, epoch, epoch.Add(time.Minute)))
	assert.ErrorIs(t, s.Once(t.Context(), key, epoch, epoch.Add(time.Minute)), authserver.ErrConflict)
	require.NoError(t, s.Once(t.Context(), key+"x", epoch, epoch.Add(time.Minute)))
}
