package sharedfile_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/internal/sharedfile"
)

func TestLockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var holders, times atomic.Int32 // atomic: the race detector knows of no file locks
		for range 10 {
			wg.Go(func() {
				for range 3 {
					unlock, err := sharedfile.Lock(t.Context(), path)
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
	info, err := os.Stat(path)
	require.NoError(t, err, "the file stays")
	if runtime.GOOS != "windows" {
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestLockEndsItsWaitWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	synctest.Test(t, func(t *testing.T) {
		unlock, err := sharedfile.Lock(t.Context(), path)
		require.NoError(t, err)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = sharedfile.Lock(ctx, path)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 10*time.Second, time.Since(began))

		gone := errors.New("the caller has gone")
		ended, end := context.WithCancelCause(t.Context())
		end(gone)
		_, err = sharedfile.Lock(ended, path)
		require.ErrorIs(t, err, gone)
		unlock()
		_, err = sharedfile.Lock(ended, path)
		require.ErrorIs(t, err, gone, "also when the lock is free")

		unlock, err = sharedfile.Lock(t.Context(), path)
		require.NoError(t, err)
		unlock()
	})
	_, err := sharedfile.Lock(t.Context(), filepath.Join(path, "no", "directory"))
	assert.Error(t, err)
}

// A process that dies with the lock leaves it free. This test starts itself.
func TestLockOfAProcessThatDied(t *testing.T) {
	const name = "BEARERGATE_TEST_LOCK"
	if path := os.Getenv(name); path != "" {
		_, err := sharedfile.Lock(t.Context(), path)
		require.NoError(t, err)
		fmt.Println("locked")
		time.Sleep(time.Minute)
		return
	}
	path := filepath.Join(t.TempDir(), "lock")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	other := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestLockOfAProcessThatDied$")
	other.Env = append(os.Environ(), name+"="+path)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", line)

	waiting, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	_, err = sharedfile.Lock(waiting, path)
	require.ErrorIs(t, err, context.DeadlineExceeded, "while it lives")

	require.NoError(t, other.Process.Kill())
	assert.Error(t, other.Wait())
	unlock, err := sharedfile.Lock(ctx, path)
	require.NoError(t, err)
	unlock()
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(path, []byte("a longer text than what follows"), 0o644))
	for _, content := range []string{"first", "", "second"} {
		require.NoError(t, sharedfile.Replace(path, []byte(content)))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, content, string(got))
		if runtime.GOOS != "windows" {
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "also when it was made too open by somebody else")
		}
	}
	assert.Error(t, sharedfile.Replace(dir, []byte("x")), "a directory is not replaced")
	assert.Error(t, sharedfile.Replace(filepath.Join(dir, "no", "directory"), []byte("x")))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 1, "no temporary file is left")
	above, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	assert.Len(t, above, 1, "no temporary file is left")
}

// TestReplaceIsOneStep: whoever reads meanwhile has the old or the new content, whole.
func TestReplaceIsOneStep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	contents := [2][]byte{make([]byte, 100_000), make([]byte, 200_000)}
	require.NoError(t, sharedfile.Replace(path, contents[0]))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			assert.NoError(t, sharedfile.Replace(path, contents[i%2]))
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Contains(t, []int{100_000, 200_000}, len(got))
	}
}
