package redisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver/redisstore"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // servers that are down are what some tests are about
	code := m.Run()
	stopOwn()
	os.Exit(code)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

var stopOwn = func() {}

// server returns the address of a Redis server: the one that REDISSTORE_TEST_ADDR names, or the usual one of this machine, or one that
// is started for the tests. Without any a test is skipped, and fails where CI is set.
func server(t testing.TB) string {
	t.Helper()
	addr, err := findServer()
	orSkip(t, err)
	return addr
}

func orSkip(t testing.TB, err error) {
	t.Helper()
	if err != nil && os.Getenv("CI") == "" && os.Getenv("REDISSTORE_TEST_ADDR") == "" {
		t.Skip("there is no Redis: ", err)
	}
	require.NoError(t, err)
}

var findServer = sync.OnceValues(func() (string, error) {
	if addr := os.Getenv("REDISSTORE_TEST_ADDR"); addr != "" {
		return addr, ping(addr)
	}
	const usual = "127.0.0.1:6379"
	if ping(usual) == nil {
		return usual, nil
	}
	addr, stop, err := start()
	if err == nil {
		stopOwn = stop
	}
	return addr, err
})

func ping(addr string) error {
	c := redis.NewClient(&redis.Options{Addr: addr, DialerRetries: 1})
	defer c.Close()
	return c.Ping(context.Background()).Err()
}

// start runs a server on a free port that keeps nothing on disk.
func start(args ...string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir, err := os.MkdirTemp("", "redisstore")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("redis-server", append([]string{"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "",
		"--appendonly", "no"}, args...)...)
	if err := cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // another process has nothing else to wait for
		if err = ping(addr); err == nil {
			return addr, stop, nil
		}
		if time.Now().After(end) {
			stop()
			return "", nil, err
		}
	}
}

var sealKey = []byte("0123456789abcdef0123456789abcdef")

func connect(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, PoolSize: 8, DialerRetries: 1})
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// config is that of a store whose keys have a prefix of their own and go when the test ends.
func config(t testing.TB) redisstore.Config {
	t.Helper()
	c := connect(t, server(t))
	prefix := "bearergate test " + rand.Text()[:12] + ":"
	t.Cleanup(func() {
		if names := keys(t, c, prefix); len(names) > 0 {
			assert.NoError(t, c.Del(context.Background(), names...).Err())
		}
	})
	return redisstore.Config{Client: c, Prefix: prefix, SealKeys: [][]byte{sealKey}, Timeout: time.Minute}
}

func keys(t testing.TB, c redis.UniversalClient, prefix string) (names []string) {
	t.Helper()
	for iter := c.Scan(context.Background(), 0, prefix+"*", 1000).Iterator(); iter.Next(context.Background()); {
		names = append(names, iter.Val())
	}
	return names
}

func open(t testing.TB, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(context.Background(), cfg)
	require.NoError(t, err)
	return s
}
