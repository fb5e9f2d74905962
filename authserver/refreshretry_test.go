package authserver_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// After each failed request the same refresh token still rotates.
func TestFailedRequestsUseUpNoToken(t *testing.T) {
	for _, row := range []struct {
		name string
		send func(w *world, token string) reply
		want string
	}{
		{"wrong secret", func(w *world, token string) reply {
			return w.do(as(formRequest("/token", "grant_type", "refresh_token", "refresh_token", token), mvcID, "wrong"))
		}, "invalid_client"},
		{"wrong client", func(w *world, token string) reply {
			return w.form("/token", "grant_type", "refresh_token", "refresh_token", token, "client_id", "spa")
		}, "invalid_grant"},
		{"scope beyond the grant", func(w *world, token string) reply { return w.refresh(token, "scope", "api1 files:read") }, "invalid_scope"},
		{"malformed scope", func(w *world, token string) reply { return w.refresh(token, "scope", "a\"b") }, "invalid_scope"},
		{"unknown resource", func(w *world, token string) reply { return w.refresh(token, "resource", "https://x.example") }, "invalid_target"},
		{"duplicate parameter", func(w *world, token string) reply { return w.refresh(token, "grant_type", "refresh_token") }, "invalid_request"},
		{"user may not go on", func(w *world, token string) reply {
			u, err := w.users.User(w.t.Context(), "alice-1")
			require.NoError(w.t, err)
			w.users.Remove("alice-1")
			defer func() { require.NoError(w.t, w.users.Set(*u)) }()
			return w.refresh(token)
		}, "invalid_grant"},
		{"signer fails", func(w *world, token string) reply {
			w.signer.fail.Store(true)
			defer w.signer.fail.Store(false)
			return w.refresh(token)
		}, "temporarily_unavailable"},
		{"the application refuses", func(w *world, token string) reply {
			w.refuseIssue = authserver.ErrAccessDenied
			defer func() { w.refuseIssue = nil }()
			return w.refresh(token)
		}, "invalid_grant"},
		{"the application breaks", func(w *world, token string) reply {
			w.refuseIssue = errors.New("directory is down")
			defer func() { w.refuseIssue = nil }()
			return w.refresh(token)
		}, "temporarily_unavailable"},
		{"the store breaks before the step", func(w *world, token string) reply {
			w.store.set(func(authserver.Step) error { return errBroken }, nil)
			defer w.store.set(nil, nil)
			return w.refresh(token)
		}, "temporarily_unavailable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				w.cfg.BeforeIssue = func(context.Context, *authserver.Issuance) error { return w.refuseIssue }
				w.useSigner()
			})
			token := w.signIn("scope", "api1 openid offline_access").str("refresh_token")
			r := row.send(w, token)
			assert.Equal(t, row.want, r.str("error"), r.body)
			assert.NotContains(t, r.body, "directory")
			if row.want == "temporarily_unavailable" {
				assert.Equal(t, http.StatusServiceUnavailable, r.status)
				assert.NotEmpty(t, r.header.Get("Retry-After"))
			}
			assert.EqualValues(t, 1, w.row(token).Generation)
			assert.Equal(t, http.StatusOK, w.refresh(token).status)
		})
	}
}

func TestRetryAfterACommitOfUnknownOutcome(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	w.store.set(nil, func(authserver.Step) error { return errBroken }) // written, but the answer of the store is lost
	r := w.refresh(token)
	assert.Equal(t, http.StatusServiceUnavailable, r.status)
	assert.Equal(t, "1", r.header.Get("Retry-After"))
	w.store.set(nil, nil)
	again := w.refresh(token)
	require.Equal(t, http.StatusOK, again.status)
	third := w.refresh(token)
	assert.Equal(t, again.str("refresh_token"), third.str("refresh_token"), "T3: the identical successor")
}

func TestRetryAfterALostResponse(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	lost := w.refresh(token).str("refresh_token") // committed; the client never sees it
	w.advance(9 * time.Second)
	assert.Equal(t, lost, w.refresh(token).str("refresh_token"))
}

func TestThousandConcurrentSubmissions(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	w.kinds()
	const n = 1000
	replies := make([]reply, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			replies[i] = w.refresh(token)
		})
	}
	close(start)
	wg.Wait()
	successors, accessTokens := map[string]bool{}, map[string]bool{}
	for _, r := range replies {
		require.Equal(t, http.StatusOK, r.status, r.body)
		successors[r.str("refresh_token")] = true
		accessTokens[r.str("access_token")] = true
	}
	assert.Len(t, successors, 1)
	assert.Len(t, accessTokens, n)
	counts := map[string]int{}
	for _, kind := range w.kinds() {
		counts[kind]++
	}
	assert.Equal(t, map[string]int{"refresh.rotated": 1, "refresh.replayed": n - 1}, counts)
	g := w.row(token)
	assert.EqualValues(t, 2, g.Generation)
	assert.Equal(t, n-1, g.Replays)

	w.advance(10*time.Second + time.Millisecond)
	w.refused(w.refresh(token), "invalid_grant") // the one after the grace ends the grant
	for successor := range successors {
		w.refused(w.refresh(successor), "invalid_grant")
	}
}
