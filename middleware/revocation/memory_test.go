//go:build !race

package revocation_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/revocation"
)

// The race detector allocates by itself, so these tests run without it.

// Check does not allocate, whatever it returns.
func TestCheckAllocatesNothing(t *testing.T) {
	w := newFullWorld(t, 1000)
	for _, jti := range []string{"another.1", "revoked-00000000000500.1", ""} {
		tok := w.token(jti)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _ = w.list.Check(context.Background(), tok) }), jti)
	}
	stale := newWorld(t)
	list, err := revocation.New(stale.cfg)
	require.NoError(t, err)
	tok := w.token("another.1")
	require.ErrorIs(t, list.Check(t.Context(), tok), revocation.ErrStale)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = list.Check(context.Background(), tok) }))
}

// A full list takes the memory that the documentation of MaxEntries names.
func TestMemory(t *testing.T) {
	for _, row := range []struct {
		id   string
		most int64 // bytes
	}{{"%022d", 8e6}, {"%0128d", 20e6}} {
		w := newWorld(t)
		w.server.pageSize = 5000
		for i := range w.cfg.MaxEntries {
			w.server.revoke(time.Hour, fmt.Sprintf(row.id, i))
		}
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		stop := w.run()
		require.NoError(t, w.list.Ready(t.Context()))
		stop()
		took := heap() - before
		t.Logf("%d entries of %d bytes: %.1f MB", w.list.Status().Entries, len(w.server.revoked[0].ID), float64(took)/1e6)
		assert.Less(t, took, row.most)
		runtime.KeepAlive(w)
	}
}
