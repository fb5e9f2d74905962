package authserver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func TestRunDeletesExpiredGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.cfg.Now = time.Now })
		for range 450 { // more than two batches
			_, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: "bob-2", Scopes: []string{"api1"}})
			require.NoError(t, err)
		}
		alive, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: "bob-2"})
		require.NoError(t, err)
		w.kinds()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.srv.Run(ctx) }()
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		assert.Empty(t, w.kinds(), "their access tokens live for 5 minutes, and for 5 more where clocks differ")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		w.mu.Lock()
		swept := 0
		for _, e := range w.events {
			assert.Equal(t, "cleanup", e.Kind)
			swept += e.Count
		}
		w.mu.Unlock()
		assert.Equal(t, 450, swept)
		assert.EqualValues(t, 1, w.row(alive.RefreshToken).Generation)
		cancel()
		assert.ErrorIs(t, <-done, context.Canceled)
	})
}

type failingSweep struct {
	authserver.Store
	calls int
}

func (f *failingSweep) Sweep(context.Context, time.Time, int) (int, error) {
	f.calls++
	return 0, errors.New("conflict")
}

func TestRunContinuesAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failingSweep{Store: authserver.NewMemoryStore()}
		w := newWorld(t, func(w *world) { w.cfg.Store = store })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		assert.ErrorIs(t, w.srv.Run(ctx), context.DeadlineExceeded)
		assert.GreaterOrEqual(t, store.calls, 6)
		assert.LessOrEqual(t, store.calls, 20, "an error is no reason to hurry")
	})
}
