package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
)

// held is a store whose committer is in the middle of a transaction, so that whatever comes next has to wait for it.
type held struct {
	*boltstore.Store
	release func()
	mu      sync.Mutex       // guards results where several are done at once
	results map[string]error // by name
}

func holdCommit(t *testing.T) *held {
	t.Helper()
	h := &held{Store: open(t, filepath.Join(t.TempDir(), "data")), results: map[string]error{}}
	gate := make(chan struct{})
	h.release = func() {
		close(gate)
		synctest.Wait()
	}
	h.start("the first", t.Context(), func(*bbolt.Tx) (outcome, broken error) {
		<-gate
		return nil, nil
	})
	return h
}

// start makes a change in the background and returns when it waits.
func (h *held) start(name string, ctx context.Context, f func(*bbolt.Tx) (outcome, broken error)) {
	h.call(name, func() error { return boltstore.Write(h.Store, ctx, f) })
}

func (h *held) call(name string, f func() error) {
	go func() {
		err := f()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.results[name] = err
	}()
	synctest.Wait()
}

// put writes a row of a test's own.
func put(id string) func(*bbolt.Tx) (outcome, broken error) {
	return func(tx *bbolt.Tx) (outcome, broken error) {
		return nil, tx.Bucket([]byte("once")).Put([]byte(id), []byte("12345678"))
	}
}

func (h *held) has(t *testing.T, id string) bool {
	t.Helper()
	found := false
	require.NoError(t, boltstore.Write(h.Store, t.Context(), func(tx *bbolt.Tx) (outcome, broken error) {
		found = tx.Bucket([]byte("once")).Get([]byte(id)) != nil
		return nil, nil
	}))
	return found
}

var errBroken = errors.New("broken")

// TestSharedCommits: what happens to changes that end up in one transaction.
func TestSharedCommits(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(t *testing.T, h *held)
	}{
		{"changes that come during a commit share the next one", func(t *testing.T, h *held) {
			const callers = 64
			before := h.Commits()
			for i := range callers {
				h.start(fmt.Sprint(i), t.Context(), put(fmt.Sprint(i)))
			}
			assert.Empty(t, h.results, "nobody is told before the commit")
			h.release()
			assert.Len(t, h.results, callers+1)
			for name, err := range h.results {
				assert.NoError(t, err, name)
			}
			assert.Equal(t, before+2, h.Commits())
		}},
		{"one that fails, and one that panics, fail alone", func(t *testing.T, h *held) {
			h.start("a", t.Context(), put("a"))
			h.start("broken", t.Context(), func(tx *bbolt.Tx) (outcome, broken error) {
				_, _ = put("half")(tx)
				return nil, errBroken
			})
			h.start("panics", t.Context(), func(tx *bbolt.Tx) (outcome, broken error) {
				_, _ = put("half")(tx)
				panic("out of order")
			})
			h.start("b", t.Context(), put("b"))
			h.start("conflict", t.Context(), func(*bbolt.Tx) (outcome, broken error) { return authserver.ErrConflict, nil })
			h.release()
			assert.NoError(t, h.results["a"])
			assert.NoError(t, h.results["b"])
			assert.ErrorIs(t, h.results["broken"], errBroken)
			assert.ErrorContains(t, h.results["panics"], "boltstore: internal error: panic: out of order")
			assert.ErrorIs(t, h.results["conflict"], authserver.ErrConflict)
			assert.True(t, h.has(t, "a") && h.has(t, "b"))
			assert.False(t, h.has(t, "half"), "nothing of the failed ones is left")
		}},
		{"a change whose caller has gone does not happen", func(t *testing.T, h *held) {
			ctx, cancel := context.WithCancel(t.Context())
			h.start("gone", ctx, put("gone"))
			h.start("b", t.Context(), put("b"))
			cancel()
			synctest.Wait()
			assert.ErrorIs(t, h.results["gone"], context.Canceled, "and its caller need not wait")
			h.release()
			assert.NoError(t, h.results["b"])
			assert.False(t, h.has(t, "gone"))
			assert.ErrorIs(t, boltstore.Write(h.Store, ctx, put("gone")), context.Canceled)
		}},
		{"one whose commit has begun says what became of it, though its caller has gone", func(t *testing.T, h *held) {
			ctx, cancel := context.WithCancel(t.Context())
			gate := make(chan struct{})
			h.start("slow", ctx, func(tx *bbolt.Tx) (outcome, broken error) {
				<-gate
				return put("slow")(tx)
			})
			h.release()
			cancel()
			synctest.Wait()
			assert.NotContains(t, h.results, "slow")
			close(gate)
			synctest.Wait()
			assert.NoError(t, h.results["slow"])
			assert.True(t, h.has(t, "slow"))
		}},
		{"where nothing has changed, nothing is written", func(t *testing.T, h *held) {
			h.release()
			before := h.Commits()
			assert.ErrorIs(t, h.Advance(t.Context(), authserver.Step{ID: "unknown"}), authserver.ErrNotFound)
			assert.Equal(t, before, h.Commits())
		}},
		{"of two steps from one generation one is taken", func(t *testing.T, h *held) {
			g := grant("g")
			h.call("create", func() error { return h.Create(t.Context(), g) })
			for _, name := range []string{"one", "other"} {
				h.call(name, func() error {
					return h.Advance(t.Context(), authserver.Step{ID: "g", From: 1, To: 2, Now: g.CreatedAt})
				})
			}
			h.release()
			assert.NoError(t, h.results["create"])
			assert.NoError(t, h.results["one"])
			assert.ErrorIs(t, h.results["other"], authserver.ErrConflict)
		}},
		{"Close waits for what has come, and takes no more", func(t *testing.T, h *held) {
			h.start("a", t.Context(), put("a"))
			h.call("close", h.Close)
			assert.NotContains(t, h.results, "close")
			h.release()
			assert.NoError(t, h.results["a"])
			assert.NoError(t, h.results["close"])
			assert.ErrorContains(t, boltstore.Write(h.Store, t.Context(), put("b")), "not open")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { row.test(t, holdCommit(t)) })
		})
	}
}
