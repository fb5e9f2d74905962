package authclient_test

import (
	"bufio"
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authclient"
)

type lockFunc = func(context.Context) (func(), error)

// locks maps the name of each Store to a function that returns its lock, in the directory dir.
var locks = map[string]func(dir string) lockFunc{
	"file":   func(dir string) lockFunc { return authclient.NewFileStore(filepath.Join(dir, "token")).Lock },
	"memory": func(string) lockFunc { return authclient.NewMemoryStore().Lock },
}

func TestLockExcludesOthers(t *testing.T) {
	for name, open := range locks {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				lock := open(dir)
				var wg sync.WaitGroup
				var holders, times atomic.Int32 // atomic: the race detector does not know file locks
				for range 10 {
					wg.Go(func() {
						for range 3 {
							unlock, err := lock(t.Context())
							if !assert.NoError(t, err) {
								return
							}
							assert.EqualValues(t, 1, holders.Add(1))
							time.Sleep(50 * time.Millisecond)
							times.Add(1)
							holders.Add(-1)
							unlock()
						}
					})
				}
				wg.Wait()
				assert.EqualValues(t, 30, times.Load())
			})
		})
	}
}

func TestLockWaitEndsWithContext(t *testing.T) {
	for name, open := range locks {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				lock := open(dir)
				unlock, err := lock(t.Context())
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err = lock(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				unlock()
				unlock, err = lock(t.Context())
				require.NoError(t, err)
				unlock()
			})
		})
	}
}

// The lock of a process that dies is released.
func TestLockOfDeadProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token.json")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	other := process(ctx, "lock", path)
	_, err := other.StdinPipe()
	require.NoError(t, err)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", line)

	store := authclient.NewFileStore(path)
	waiting, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	_, err = store.Lock(waiting)
	require.ErrorIs(t, err, context.DeadlineExceeded, "while the process lives")

	require.NoError(t, other.Process.Kill())
	assert.Error(t, other.Wait())
	unlock, err := store.Lock(ctx)
	require.NoError(t, err)
	unlock()
}
