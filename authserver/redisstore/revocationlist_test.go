package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/redisstore"
)

// issued is a grant under which an access token was issued.
func issued(id string) authserver.Grant {
	g := grant(id)
	g.AccessExpiresAt = epoch.Add(10 * time.Minute)
	return g
}

// TestCrashLosesNoRevocation simulates a crash after each command of Revoke. The list has every revoked grant, and no
// other.
func TestCrashLosesNoRevocation(t *testing.T) {
	cfg := config(t)
	hook := new(crash)
	broken := connect(t, serverAddr(t))
	hook.left.Store(1 << 40)
	broken.AddHook(hook)
	crashing := cfg
	crashing.Client = broken
	working, crashed := open(t, cfg), open(t, crashing)
	list := func() []authserver.Revocation {
		all, err := working.Revoked(t.Context(), time.Time{}, "", epoch, 0)
		require.NoError(t, err)
		return all
	}
	var want []authserver.Revocation
	outcomes := map[[2]bool]int{} // whether Revoke had no error, and whether the grant is revoked
	for after := range int64(10) {
		g := issued(fmt.Sprint(after))
		require.NoError(t, working.Create(t.Context(), g))
		at := epoch.Add(time.Duration(after) * time.Minute)
		hook.left.Store(after)
		_, err := crashed.Revoke(t.Context(), authserver.Selector{ID: g.ID}, "user", at)
		got, readErr := working.Grant(t.Context(), g.ID)
		require.NoError(t, readErr)
		outcomes[[2]bool{err == nil, !got.RevokedAt.IsZero()}]++
		if got.RevokedAt.IsZero() {
			assert.Equal(t, want, list(), "an entry of a grant that is not revoked does not count, after %d commands", after)
			at = at.Add(time.Second)
			_, err = working.Revoke(t.Context(), authserver.Selector{ID: g.ID}, "user", at)
			require.NoError(t, err)
		}
		want = append(want, authserver.Revocation{ID: g.ID, At: at, AccessExpiresAt: g.AccessExpiresAt})
		assert.Equal(t, want, list(), "after %d commands", after)
	}
	assert.NotZero(t, outcomes[[2]bool{false, false}], "some crashes came before the grant was revoked")
	assert.NotZero(t, outcomes[[2]bool{true, true}], "some crashes came after the grant was revoked")
	assert.Zero(t, outcomes[[2]bool{true, false}])
	_, err := working.Sweep(t.Context(), epoch.Add(10*time.Minute), 100)
	require.NoError(t, err)
	assert.Zero(t, cfg.Client.ZCard(t.Context(), cfg.Prefix+"revoked").Val(),
		"Sweep removes what the crashes left in the list")
}

func TestRevocationListIsTrimmed(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	size := func() int64 { return cfg.Client.ZCard(t.Context(), cfg.Prefix+"revoked").Val() }
	revoke := func(id string, at time.Time) {
		n, err := s.Revoke(t.Context(), authserver.Selector{ID: id}, "user", at)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	for i := range 100 { // without Sweep; the access tokens live for ten minutes
		at := epoch.Add(time.Duration(i) * time.Minute)
		g := issued(fmt.Sprint(i))
		g.ExpiresAt, g.AccessExpiresAt = at.Add(time.Hour), at.Add(10*time.Minute)
		require.NoError(t, s.Create(t.Context(), g))
		revoke(g.ID, at)
		require.LessOrEqual(t, size(), int64(10))
	}
	all, err := s.Revoked(t.Context(), time.Time{}, "", epoch.Add(99*time.Minute), 0)
	require.NoError(t, err)
	assert.Len(t, all, 10)

	end := epoch.Add(200 * time.Minute)
	require.NoError(t, s.Create(t.Context(), issued("b")))
	for _, e := range []string{"no such grant", "b"} { // of calls that crashed or are running
		require.NoError(t, cfg.Client.ZAdd(t.Context(), cfg.Prefix+"revoked",
			redis.Z{Member: redisstore.EncodeEntry(end, e)}).Err())
	}
	for _, row := range []struct {
		now  time.Time
		want int64
	}{{end.Add(time.Hour - time.Millisecond), 2}, {end.Add(time.Hour), 0}} {
		_, err = s.Sweep(t.Context(), row.now, 100)
		require.NoError(t, err)
		assert.Equal(t, row.want, size(), "an hour later, no call can be about to revoke it")
	}
}

func TestRevocationListIsNotTrusted(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	require.NoError(t, s.Create(t.Context(), issued("alive")))
	require.NoError(t, s.Create(t.Context(), issued("revoked")))
	_, err := s.Revoke(t.Context(), authserver.Selector{ID: "revoked"}, "user", epoch)
	require.NoError(t, err)
	for _, e := range []string{redisstore.EncodeEntry(epoch, "alive"), redisstore.EncodeEntry(epoch, "nobody"),
		redisstore.EncodeEntry(epoch.Add(1e6), "revoked")} {
		require.NoError(t, cfg.Client.ZAdd(t.Context(), cfg.Prefix+"revoked", redis.Z{Member: e}).Err())
	}
	all, err := s.Revoked(t.Context(), time.Time{}, "", epoch, 0)
	require.NoError(t, err)
	assert.Equal(t, []authserver.Revocation{{ID: "revoked", At: epoch, AccessExpiresAt: epoch.Add(10 * time.Minute)}}, all)
	require.NoError(t, cfg.Client.ZAdd(t.Context(), cfg.Prefix+"revoked", redis.Z{Member: "\xff"}).Err())
	_, err = s.Revoked(t.Context(), time.Time{}, "", epoch, 0)
	assert.ErrorIs(t, err, redisstore.ErrDamaged)
}

// Where access tokens live for days, a grant can be revoked by subject and session long after its own end, and is
// listed.
func TestAccessTokensThatOutliveTheirGrant(t *testing.T) {
	for name, issue := range map[string]func(t *testing.T, s *redisstore.Store, g authserver.Grant, until time.Time){
		"by Create": func(t *testing.T, s *redisstore.Store, g authserver.Grant, until time.Time) {
			g.AccessExpiresAt = until
			require.NoError(t, s.Create(t.Context(), g))
		},
		"by Advance": func(t *testing.T, s *redisstore.Store, g authserver.Grant, until time.Time) {
			require.NoError(t, s.Create(t.Context(), g))
			step := authserver.Step{ID: g.ID, From: g.Generation, To: g.Generation + 1, Now: epoch, AccessExpiresAt: until}
			require.NoError(t, s.Advance(t.Context(), step))
		},
	} {
		for _, sel := range []authserver.Selector{{Subject: "traveller"}, {SessionID: "journey"}} {
			t.Run(fmt.Sprintf("%s, %+v", name, sel), func(t *testing.T) {
				s := open(t, config(t))
				g := grant("g")
				g.Subject, g.SessionID = "traveller", "journey"
				g.ExpiresAt, g.IdleExpiresAt = epoch.Add(time.Hour), epoch.Add(time.Hour)
				until := epoch.Add(4 * 24 * time.Hour)
				issue(t, s, g, until)

				later := epoch.Add(3 * 24 * time.Hour)
				next := g
				next.ID, next.CreatedAt = "next", later
				next.ExpiresAt, next.IdleExpiresAt = later.Add(time.Hour), later.Add(time.Hour)
				require.NoError(t, s.Create(t.Context(), next)) // removes expired entries
				n, err := s.Revoke(t.Context(), sel, "user", later)
				require.NoError(t, err)
				assert.Equal(t, 2, n)
				list, err := s.Revoked(t.Context(), time.Time{}, "", later, 0)
				require.NoError(t, err)
				assert.Equal(t, []authserver.Revocation{{ID: "g", At: later, AccessExpiresAt: until}}, list)
			})
		}
	}
}
