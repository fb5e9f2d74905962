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
	redis.SetLogger(silentLogger{}) // some tests stop their servers
	code := m.Run()
	stopStarted()
	os.Exit(code)
}

type silentLogger struct{}

func (silentLogger) Printf(context.Context, string, ...any) {}

var stopStarted = func() {}

// serverAddr returns the address of a Redis server: that in REDISSTORE_TEST_ADDR, or the one on the usual port, or one
// that is started for the tests. Without any, the test is skipped, or fails where CI is set.
func serverAddr(t testing.TB) string {
	t.Helper()
	addr, err := findServer()
	requireServer(t, err)
	return addr
}

func requireServer(t testing.TB, err error) {
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
	addr, stop, err := startServer()
	if err == nil {
		stopStarted = stop
	}
	return addr, err
})

func ping(addr string) error {
	c := redis.NewClient(&redis.Options{Addr: addr, DialerRetries: 1})
	defer c.Close()
	return c.Ping(context.Background()).Err()
}

// startServer starts Redis on a free port, without persistence.
func startServer(args ...string) (addr string, stop func(), err error) {
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
	defaults := []string{"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "",
		"--appendonly", "no"}
	cmd := exec.Command("redis-server", append(defaults, args...)...)
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
	// polls, since the process sends no notice
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
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

// config returns the configuration of a store with a new prefix, whose keys are deleted when the test ends.
func config(t testing.TB) redisstore.Config {
	t.Helper()
	c := connect(t, serverAddr(t))
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
