package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/redisstore"
	"github.com/bearergate/bearergate/authserver/storetest"
	"github.com/bearergate/bearergate/jwks"
)

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func grant(id string) authserver.Grant {
	return authserver.Grant{ID: id, Salt: []byte("0123456789abcdef"), ClientID: "c", Subject: "s", Refresh: true,
		CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour), IdleExpiresAt: epoch.Add(time.Hour), Generation: 1}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) authserver.Store { return open(t, config(t)) })
}

// A cluster of one node rejects commands on keys of two slots just as one of many nodes does.
func TestCluster(t *testing.T) {
	addr, stop, err := startServer("--cluster-enabled", "yes")
	requireServer(t, err)
	t.Cleanup(stop)
	node := connect(t, addr)
	require.NoError(t, node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	require.Eventually(t, func() bool {
		info, err := node.ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	}, 30*time.Second, 10*time.Millisecond)
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}})
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	storetest.Run(t, func(t *testing.T) authserver.Store {
		require.NoError(t, node.FlushAll(t.Context()).Err())
		return open(t, redisstore.Config{Client: c, SealKeys: [][]byte{sealKey}, Timeout: time.Minute})
	})
	t.Run("signing keys", func(t *testing.T) {
		storetest.RunKeys(t, func(t *testing.T) jwks.KeyStore {
			require.NoError(t, node.FlushAll(t.Context()).Err())
			return open(t, redisstore.Config{Client: c, SealKeys: [][]byte{sealKey}, Timeout: time.Minute})
		})
	})
	_, err = redisstore.Open(t.Context(), redisstore.Config{SealKeys: [][]byte{sealKey},
		Client: redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}, RouteByLatency: true})})
	assert.ErrorIs(t, err, redisstore.ErrReplicas)
}

func TestEvictingServerIsRejected(t *testing.T) {
	addr, stop, err := startServer("--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru")
	requireServer(t, err)
	t.Cleanup(stop)
	_, err = redisstore.Open(t.Context(), redisstore.Config{Client: connect(t, addr), SealKeys: [][]byte{sealKey}})
	assert.ErrorIs(t, err, redisstore.ErrEvicts)
	assert.ErrorContains(t, err, "volatile-lru")
}

func TestOpenValidatesConfig(t *testing.T) {
	_, err := redisstore.Open(t.Context(), redisstore.Config{Prefix: "{one slot}", Timeout: -1})
	require.ErrorIs(t, err, jwks.ErrSealKey)
	for _, problem := range []string{"Client is missing", `Prefix "{one slot}" must not contain a brace`,
		"Timeout is negative"} {
		assert.ErrorContains(t, err, problem, "all problems at once")
	}
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", Password: "hunter2", DialerRetries: 1})
	defer c.Close()
	_, err = redisstore.Open(t.Context(), redisstore.Config{Client: c, SealKeys: [][]byte{sealKey[:31]}})
	assert.ErrorContains(t, err, "key 0 has 31")
	cfg := redisstore.Config{Client: c, SealKeys: [][]byte{sealKey}}
	_, err = redisstore.Open(t.Context(), cfg)
	assert.ErrorContains(t, err, "redisstore: ", "no server")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "redisstore.Config", fmt.Sprintf(verb, cfg))
		assert.Equal(t, "redisstore.Store", fmt.Sprintf(verb, open(t, config(t))))
	}
}

var errCrash = errors.New("simulated crash")

// crash is a hook that lets some commands through and fails all later ones.
type crash struct{ left atomic.Int64 }

func (c *crash) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *crash) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if name := cmd.Name(); name != "hello" && name != "client" && c.left.Add(-1) < 0 {
			cmd.SetErr(errCrash)
			return errCrash
		}
		return next(ctx, cmd)
	}
}

func (c *crash) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		for _, cmd := range commands {
			if name := cmd.Name(); name == "hello" || name == "client" {
				return next(ctx, commands)
			}
		}
		if c.left.Add(-1) < 0 {
			for _, cmd := range commands {
				cmd.SetErr(errCrash)
			}
			return errCrash
		}
		return next(ctx, commands)
	}
}

// TestCrashAfterEachCommand simulates a crash after each command of Create, Revoke and Sweep. Every existing grant is
// found by its subject, client and session. Every acknowledged revocation exists. And the next attempt succeeds.
func TestCrashAfterEachCommand(t *testing.T) {
	cfg := config(t)
	hook := new(crash)
	broken := connect(t, serverAddr(t))
	hook.left.Store(1 << 40)
	broken.AddHook(hook)
	crashing := cfg
	crashing.Client = broken
	working, crashed := open(t, cfg), open(t, crashing)
	selectors := []authserver.Selector{{Subject: "s"}, {ClientID: "c"}, {SessionID: "z"}}
	ctx := t.Context()
	created, revoked := 0, 0
	for after := range int64(16) {
		id := fmt.Sprint("grant ", after)
		g := grant(id)
		g.SessionID = "z"

		hook.left.Store(after)
		err := crashed.Create(ctx, g)
		_, missing := working.Grant(ctx, id)
		if err == nil {
			created++
			require.NoError(t, missing)
		} else {
			require.ErrorIs(t, err, errCrash)
		}
		for _, sel := range selectors {
			list, err := working.Grants(ctx, sel, epoch, 0)
			require.NoError(t, err)
			if missing == nil {
				require.Len(t, list, 1, "after %d commands, by %+v", after, sel)
			} else {
				require.Empty(t, list)
			}
		}
		if missing != nil {
			require.NoError(t, working.Create(ctx, g), "it can be created again")
		}

		sel := selectors[after%3]
		hook.left.Store(after)
		n, err := crashed.Revoke(ctx, sel, "user", epoch.Add(time.Second))
		if err == nil {
			revoked++
			require.Equal(t, 1, n)
		} else if again, err := working.Revoke(ctx, sel, "user", epoch.Add(time.Second)); true {
			require.NoError(t, err)
			got, err := working.Grant(ctx, id)
			require.NoError(t, err)
			assert.False(t, got.RevokedAt.IsZero(), "revoked by the first or the second call: %d, %d", n, again)
		}

		hook.left.Store(after)
		if _, err = crashed.Sweep(ctx, epoch.Add(time.Second), 100); err != nil {
			require.ErrorIs(t, err, errCrash)
		}
		// at the end of the grant, in case Revoke could not reschedule it
		_, err = working.Sweep(ctx, epoch.Add(time.Hour), 100)
		require.NoError(t, err)
		_, err = working.Grant(ctx, id)
		require.ErrorIs(t, err, authserver.ErrNotFound)
	}
	assert.NotZero(t, created, "some crashes came late enough")
	assert.NotZero(t, revoked, "some crashes came late enough")

	// Sweep removes what crashed calls left in the indexes.
	_, err := working.Sweep(ctx, epoch.Add(3*time.Hour), 100)
	require.NoError(t, err)
	for _, name := range keys(t, cfg.Client, cfg.Prefix+"client:") {
		assert.Zero(t, cfg.Client.ZCard(ctx, name).Val(), name)
	}
	assert.Empty(t, keys(t, cfg.Client, cfg.Prefix+"grant:"))
}

// An index names a grant of another subject, and one that does not exist.
func TestIndexesAreNotTrusted(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	require.NoError(t, s.Create(t.Context(), grant("a")))
	mine := keys(t, cfg.Client, cfg.Prefix+"subject:")
	require.Len(t, mine, 1)
	other := grant("b")
	other.Subject = "other"
	require.NoError(t, s.Create(t.Context(), other))
	require.NoError(t, cfg.Client.ZAdd(t.Context(), mine[0], redis.Z{Member: "b"}, redis.Z{Member: "nobody"}).Err())
	list, err := s.Grants(t.Context(), authserver.Selector{Subject: "s"}, epoch, 0)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, "a", list[0].ID)
	n, err := s.Revoke(t.Context(), authserver.Selector{Subject: "s"}, "user", epoch)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	g, err := s.Grant(t.Context(), "b")
	require.NoError(t, err)
	assert.True(t, g.RevokedAt.IsZero())
}

// When the answer to a command is lost, go-redis would send it again, and the second one would report the effect of the
// first as a conflict.
func TestCommandsAreNotSentTwice(t *testing.T) {
	cfg := config(t)
	proxy := storetest.NewProxy(t, serverAddr(t))
	s := cfg
	s.Client = connect(t, proxy.Addr())
	through, direct := open(t, s), open(t, cfg)
	require.NoError(t, through.Create(t.Context(), grant("a")))
	proxy.DropAnswers(true)
	assert.NotErrorIs(t, through.Advance(t.Context(), authserver.Step{ID: "a", From: 1, To: 2, Now: epoch}),
		authserver.ErrConflict)
	assert.NotErrorIs(t, through.Once(t.Context(), "key", epoch, epoch.Add(time.Minute)), authserver.ErrConflict)
	assert.NotErrorIs(t, through.Create(t.Context(), grant("b")), authserver.ErrConflict)
	proxy.DropAnswers(false)
	g, err := direct.Grant(t.Context(), "a")
	require.NoError(t, err)
	assert.EqualValues(t, 2, g.Generation, "the first command took effect")
}

func TestKeysExpireWithoutSweep(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	now := time.Now().UTC().Truncate(time.Millisecond)
	g := grant("a")
	g.SessionID, g.CreatedAt, g.IdleExpiresAt, g.ExpiresAt = "z", now, now.Add(time.Minute), now.Add(48*time.Hour)
	end := func() time.Time {
		ms, err := cfg.Client.Do(t.Context(), "PEXPIRETIME", cfg.Prefix+"grant:{a}").Int64()
		require.NoError(t, err)
		return time.UnixMilli(ms).UTC()
	}
	require.NoError(t, s.Create(t.Context(), g))
	assert.Equal(t, g.IdleExpiresAt.Add(time.Hour), end())
	step := authserver.Step{ID: "a", From: 1, To: 2, Now: now, IdleExpiresAt: now.Add(24 * time.Hour),
		AccessExpiresAt: now.Add(time.Minute)}
	require.NoError(t, s.Advance(t.Context(), step))
	assert.Equal(t, now.Add(25*time.Hour), end(), "a refresh extends it")
	require.NoError(t, s.Once(t.Context(), "key", now, now.Add(time.Minute)))
	n, err := s.Revoke(t.Context(), authserver.Selector{ID: "a"}, "user", now)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, keys(t, cfg.Client, cfg.Prefix+"revoked"), 1)
	for _, name := range keys(t, cfg.Client, cfg.Prefix) {
		if name != cfg.Prefix+"clients" {
			assert.Positive(t, cfg.Client.PTTL(t.Context(), name).Val(), name)
		}
	}
}

func TestSweepSkipsRefreshedGrants(t *testing.T) {
	s := open(t, config(t))
	for i := range 20 { // codes that live for a minute; every second one is exchanged for tokens, and lives for an hour
		g := grant(fmt.Sprint(i))
		g.Generation, g.IdleExpiresAt = 0, epoch.Add(time.Minute)
		require.NoError(t, s.Create(t.Context(), g))
		if i%2 == 0 {
			step := authserver.Step{ID: g.ID, To: 1, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)}
			require.NoError(t, s.Advance(t.Context(), step))
		}
	}
	for _, row := range []struct {
		now  time.Time
		want int
	}{{epoch.Add(time.Minute), 10}, {epoch.Add(time.Hour - time.Millisecond), 0}, {epoch.Add(time.Hour), 10}} {
		n, err := s.Sweep(t.Context(), row.now, 10)
		require.NoError(t, err)
		assert.Equal(t, row.want, n)
	}
}

// The index has more than one batch of entries, and two calls revoke at once.
func TestRevokeManyConcurrently(t *testing.T) {
	s := open(t, config(t))
	const n = 1200
	for i := range n {
		g := grant(fmt.Sprint(i))
		g.CreatedAt = epoch.Add(time.Duration(i) * time.Millisecond)
		require.NoError(t, s.Create(t.Context(), g))
	}
	list, err := s.Grants(t.Context(), authserver.Selector{ClientID: "c"}, epoch, 10)
	require.NoError(t, err)
	require.Len(t, list, 10)
	assert.Equal(t, fmt.Sprint(n-1), list[0].ID)
	var wg sync.WaitGroup
	var total atomic.Int64
	for range 2 {
		wg.Go(func() {
			m, err := s.Revoke(t.Context(), authserver.Selector{ClientID: "c", Except: "7"}, "admin", epoch)
			assert.NoError(t, err)
			total.Add(int64(m))
		})
	}
	wg.Wait()
	assert.EqualValues(t, n-1, total.Load(), "each grant is revoked once")
	list, err = s.Grants(t.Context(), authserver.Selector{Subject: "s"}, epoch, 0)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, "7", list[0].ID)
}

func TestOversizedGrantIsRejected(t *testing.T) {
	s := open(t, config(t))
	g := grant("a")
	g.RevokeReason = strings.Repeat("x", 33)
	assert.ErrorContains(t, s.Create(t.Context(), g), "too long")
	_, err := s.Revoke(t.Context(), authserver.Selector{ID: "a"}, g.RevokeReason, epoch)
	assert.ErrorContains(t, err, "has 33 bytes, at most 32 are allowed")
}

func TestDamagedRowsAreErrors(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	require.NoError(t, s.Create(t.Context(), grant("a")))
	key := cfg.Prefix + "grant:{a}"
	good := cfg.Client.Get(t.Context(), key).Val()
	for _, row := range []struct{ name, value string }{
		{"empty", ""}, {"truncated", good[:50]}, {"only the head", good[:138]}, {"another format", "\x02" + good[1:]},
		{"not JSON", good[:140]},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.NoError(t, cfg.Client.Set(t.Context(), key, row.value, 0).Err())
			_, err := s.Grant(t.Context(), "a")
			assert.ErrorIs(t, err, redisstore.ErrDamaged)
			_, err = s.Grants(t.Context(), authserver.Selector{Subject: "s"}, epoch, 0)
			assert.ErrorIs(t, err, redisstore.ErrDamaged)
		})
	}
}
