//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package authclient_test

import (
	"bufio"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// A process that dies with the lock leaves it free.
func TestLockOfAProcessThatDied(t *testing.T) {
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
	require.ErrorIs(t, err, context.DeadlineExceeded, "while it lives")

	require.NoError(t, other.Process.Kill())
	assert.Error(t, other.Wait())
	unlock, err := store.Lock(ctx)
	require.NoError(t, err)
	unlock()
}
