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

// blockedStore is a store whose committer is inside a transaction, so that every further mutation is queued.
type blockedStore struct {
	*boltstore.Store
	release func()
	mu      sync.Mutex       // guards results, since several calls may end at once
	results map[string]error // by name
}

func blockCommit(t *testing.T) *blockedStore {
	t.Helper()
	h := &blockedStore{Store: open(t, filepath.Join(t.TempDir(), "data")), results: map[string]error{}}
	gate := make(chan struct{})
	h.release = func() {
		close(gate)
		synctest.Wait()
	}
	h.start("blocking", t.Context(), func(*bbolt.Tx) (refusal, failure error) {
		<-gate
		return nil, nil
	})
	return h
}

// start runs a mutation in the background and returns when it is queued.
func (h *blockedStore) start(name string, ctx context.Context, f func(*bbolt.Tx) (refusal, failure error)) {
	h.call(name, func() error { return boltstore.Write(h.Store, ctx, f) })
}

func (h *blockedStore) call(name string, f func() error) {
	go func() {
		err := f()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.results[name] = err
	}()
	synctest.Wait()
}

// put returns a mutation that writes a row of the test.
func put(id string) func(*bbolt.Tx) (refusal, failure error) {
	return func(tx *bbolt.Tx) (refusal, failure error) {
		return nil, tx.Bucket([]byte("once")).Put([]byte(id), []byte("12345678"))
	}
}

func (h *blockedStore) has(t *testing.T, id string) bool {
	t.Helper()
	found := false
	require.NoError(t, boltstore.Write(h.Store, t.Context(), func(tx *bbolt.Tx) (refusal, failure error) {
		found = tx.Bucket([]byte("once")).Get([]byte(id)) != nil
		return nil, nil
	}))
	return found
}

var errFailed = errors.New("failed")

func TestSharedTransactions(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(t *testing.T, h *blockedStore)
	}{
		{"mutations queued during a commit share the next one", func(t *testing.T, h *blockedStore) {
			const callers = 64
			before := h.Commits()
			for i := range callers {
				h.start(fmt.Sprint(i), t.Context(), put(fmt.Sprint(i)))
			}
			assert.Empty(t, h.results, "no call returns before the commit")
			h.release()
			assert.Len(t, h.results, callers+1)
			for name, err := range h.results {
				assert.NoError(t, err, name)
			}
			assert.Equal(t, before+2, h.Commits())
		}},
		{"a failure and a panic affect only their callers", func(t *testing.T, h *blockedStore) {
			h.start("a", t.Context(), put("a"))
			h.start("fails", t.Context(), func(tx *bbolt.Tx) (refusal, failure error) {
				_, _ = put("half")(tx)
				return nil, errFailed
			})
			h.start("panics", t.Context(), func(tx *bbolt.Tx) (refusal, failure error) {
				_, _ = put("half")(tx)
				panic("out of order")
			})
			h.start("b", t.Context(), put("b"))
			h.start("conflict", t.Context(), func(*bbolt.Tx) (refusal, failure error) { return authserver.ErrConflict, nil })
			h.release()
			assert.NoError(t, h.results["a"])
			assert.NoError(t, h.results["b"])
			assert.ErrorIs(t, h.results["fails"], errFailed)
			assert.ErrorContains(t, h.results["panics"], "boltstore: internal error: panic: out of order")
			assert.ErrorIs(t, h.results["conflict"], authserver.ErrConflict)
			assert.True(t, h.has(t, "a") && h.has(t, "b"))
			assert.False(t, h.has(t, "half"), "the failed ones are rolled back")
		}},
		{"a queued mutation is cancelled with its context", func(t *testing.T, h *blockedStore) {
			ctx, cancel := context.WithCancel(t.Context())
			h.start("cancelled", ctx, put("cancelled"))
			h.start("b", t.Context(), put("b"))
			cancel()
			synctest.Wait()
			assert.ErrorIs(t, h.results["cancelled"], context.Canceled, "its caller does not wait")
			h.release()
			assert.NoError(t, h.results["b"])
			assert.False(t, h.has(t, "cancelled"))
			assert.ErrorIs(t, boltstore.Write(h.Store, ctx, put("cancelled")), context.Canceled)
		}},
		{"a mutation whose commit has begun reports its result despite cancellation", func(t *testing.T, h *blockedStore) {
			ctx, cancel := context.WithCancel(t.Context())
			gate := make(chan struct{})
			h.start("slow", ctx, func(tx *bbolt.Tx) (refusal, failure error) {
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
		{"an unchanged database is not written", func(t *testing.T, h *blockedStore) {
			h.release()
			before := h.Commits()
			assert.ErrorIs(t, h.Advance(t.Context(), authserver.Step{ID: "unknown"}), authserver.ErrNotFound)
			assert.Equal(t, before, h.Commits())
		}},
		{"of two steps from one generation one succeeds", func(t *testing.T, h *blockedStore) {
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
		{"Close waits for queued mutations and rejects further ones", func(t *testing.T, h *blockedStore) {
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
			synctest.Test(t, func(t *testing.T) { row.test(t, blockCommit(t)) })
		})
	}
}
