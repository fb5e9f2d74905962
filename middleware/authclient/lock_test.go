package authclient_test

import (
	"context"
	"os"
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

// locks make each kind of lock there is, by name, in the directory dir.
var locks = map[string]func(dir string) lockFunc{
	"file":   func(dir string) lockFunc { return authclient.NewFileStore(filepath.Join(dir, "token")).Lock },
	"memory": func(string) lockFunc { return authclient.NewMemoryStore().Lock },
	"exclusive": func(dir string) lockFunc {
		return func(ctx context.Context) (func(), error) {
			return authclient.LockExclusive(ctx, filepath.Join(dir, "x"))
		}
	},
}

func TestLockIsHeldByOne(t *testing.T) {
	for name, open := range locks {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				lock := open(dir)
				var wg sync.WaitGroup
				var holders, times atomic.Int32 // atomic: the race detector knows of no file locks
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

func TestLockEndsItsWaitWithTheContext(t *testing.T) {
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

func TestExclusiveLockLeftBehind(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
	long := time.Now().Add(-3 * time.Minute)
	require.NoError(t, os.Chtimes(name, long, long))
	unlock, err := authclient.LockExclusive(t.Context(), name)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(name, []byte("another who took ours for stale"), 0o600))
	unlock()
	_, err = os.Stat(name)
	assert.NoError(t, err, "another's lock is not removed")

	_, err = authclient.LockExclusive(t.Context(), filepath.Join(name, "no", "directory"))
	assert.Error(t, err)
}
