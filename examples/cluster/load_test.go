package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// memoryStore is a clusterStore in memory.
type memoryStore struct {
	authserver.Store
	memoryKeys
}

// memoryKeys is a jwks.KeyStore.
type memoryKeys struct {
	mu      sync.Mutex
	state   []byte
	version string
}

func (m *memoryKeys) LoadKeys(context.Context) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.version, nil
}

func (m *memoryKeys) SaveKeys(_ context.Context, state []byte, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.version = state, m.version+"'"
	return nil
}

// testLoad is a load on servers and an API in this process.
type testLoad struct {
	*load
	clients []*client
	store   *memoryStore
	first   string // the first token of the first client
}

var oldKey, newKey = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)

// newTestLoad starts one server for each list of refresh keys; requests go to them in turns. wrap may interfere with
// requests.
func newTestLoad(t *testing.T, wrap func(http.Handler) http.Handler, api http.HandlerFunc, keys ...[][]byte) *testLoad {
	t.Helper()
	r := &testLoad{store: &memoryStore{Store: authserver.NewMemoryStore()}}
	var servers []*authserver.Server
	var turn atomic.Int64
	front := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		servers[int(turn.Add(1))%len(servers)].ServeHTTP(w, q)
	}))
	if wrap != nil {
		front = wrap(front)
	}
	at := httptest.NewServer(front)
	t.Cleanup(at.Close)
	if api == nil {
		api = func(http.ResponseWriter, *http.Request) {}
	}
	resource := httptest.NewServer(api)
	t.Cleanup(resource.Close)
	for _, k := range keys {
		c := nodeConfig{
			Issuer: at.URL, RefreshKeys: k, AccessLifetime: time.Minute, Grace: time.Minute, KeyRotation: time.Hour,
		}
		server, err := c.server(r.store, nil, nil)
		require.NoError(t, err)
		servers = append(servers, server)
	}
	const clients = 3
	r.load = newLoad(at.URL, []string{resource.URL}, clients)
	t.Cleanup(r.httpClient.CloseIdleConnections)
	for i := range clients {
		tokens, err := servers[0].IssueTokens(t.Context(), authserver.IssueRequest{ClientID: loadClient, Subject: "alice"})
		require.NoError(t, err)
		s, err := newClient(i, tokens.RefreshToken)
		require.NoError(t, err)
		if r.first == "" {
			r.first = tokens.RefreshToken
		}
		r.clients = append(r.clients, s)
	}
	return r
}

// refreshAll lets each client refresh several times.
func (r *testLoad) refreshAll(ctx context.Context, n int) {
	for _, s := range r.clients {
		for i := 0; i < n && s.ended == ""; i++ {
			if access := r.refresh(ctx, s); access != "" {
				r.call(ctx, r.apis[0], access)
			}
		}
	}
}

func (r *testLoad) ok(t *testing.T, mayLose bool) bool {
	t.Helper()
	var out strings.Builder
	require.NoError(t, r.results.print(&out, time.Second, mayLose))
	assert.NotRegexp(t, secrets, out.String())
	return r.results.ok(mayLose)
}

func TestSuccessfulRun(t *testing.T) {
	r := newTestLoad(t, nil, nil, [][]byte{oldKey}, [][]byte{oldKey})
	r.double = 50
	r.refreshAll(t.Context(), 20)
	r.checkAll(t.Context(), r.store, r.clients)
	assert.True(t, r.ok(t, false), r.results.notes)
	assert.EqualValues(t, 3, r.results.oneTokenWorks.Load())
	assert.EqualValues(t, 3, r.results.reuseDetected.Load())
}

// Servers that disagree about the first refresh key issue two different tokens for one generation. Both are valid, so a
// real client would never notice.
func TestForkIsDetected(t *testing.T) {
	r := newTestLoad(t, nil, nil, [][]byte{oldKey, newKey}, [][]byte{newKey, oldKey})
	r.double = 100
	r.refreshAll(t.Context(), 20)
	assert.NotZero(t, r.results.forked.Load())
	assert.Zero(t, r.results.lost.Load())
	assert.False(t, r.ok(t, true))
}

// forgetfulStore acknowledges revocations but does nothing.
type forgetfulStore struct{ authserver.Store }

func (forgetfulStore) Revoke(context.Context, authserver.Selector, string, time.Time) (int, error) {
	return 1, nil
}

func TestMissedReuseIsDetected(t *testing.T) {
	r := newTestLoad(t, nil, nil, [][]byte{oldKey})
	r.store.Store = forgetfulStore{r.store.Store}
	r.refreshAll(t.Context(), 20)
	r.checkAll(t.Context(), r.store, r.clients)
	assert.EqualValues(t, 3, r.results.forked.Load())
	assert.False(t, r.ok(t, true))
}

// A copied token that is used late ends the grant, and its honest client gets invalid_grant.
func TestLostGrantIsDetected(t *testing.T) {
	r := newTestLoad(t, nil, nil, [][]byte{oldKey})
	r.refreshAll(t.Context(), 20)
	require.NotEmpty(t, r.post(t.Context(), r.first).rejected, "the copied token is rejected")
	r.refreshAll(t.Context(), 1)
	assert.EqualValues(t, 1, r.results.lost.Load())
	assert.False(t, r.ok(t, true))
}

// A store that is behind its client is distinguished from a grant that was lost for no reason.
func TestRollbackIsDetected(t *testing.T) {
	r := newTestLoad(t, nil, nil, [][]byte{oldKey})
	r.storeIsBehind = func(_ context.Context, grant string, generation uint32) bool {
		return grant == r.clients[0].grant && generation == r.clients[0].gen
	}
	r.refreshAll(t.Context(), 20)
	require.NotEmpty(t, r.post(t.Context(), r.first).rejected)
	r.refreshAll(t.Context(), 1)
	assert.EqualValues(t, 1, r.results.rolledBack.Load())
	assert.False(t, r.ok(t, false), "a store that syncs must not lose writes")
	assert.True(t, r.ok(t, true))
}

func TestRejectedAccessTokenIsDetected(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		var calls atomic.Int64
		r := newTestLoad(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 7 {
				w.WriteHeader(status)
			}
		}, [][]byte{oldKey})
		r.refreshAll(t.Context(), 5)
		assert.EqualValues(t, 1, r.results.rejectedTokens.Load())
		assert.False(t, r.ok(t, true))
	}
}

// After a revocation the API must reject the access token, and the server the refresh token.
func TestIgnoredRevocationIsDetected(t *testing.T) {
	reject := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	r := newTestLoad(t, nil, reject, [][]byte{oldKey})
	s := r.clients[0]
	r.revoke(t.Context(), s, r.refresh(t.Context(), s))
	r.checkAll(t.Context(), r.store, []*client{s})
	assert.EqualValues(t, 1, r.results.revoked.Load())
	assert.Len(t, r.results.revocationDelays, 1)
	assert.Zero(t, r.results.acceptedAfterRevocation.Load())

	r = newTestLoad(t, nil, reject, [][]byte{oldKey})
	r.store.Store = forgetfulStore{r.store.Store}
	s = r.clients[0]
	r.revoke(t.Context(), s, r.refresh(t.Context(), s))
	r.checkAll(t.Context(), r.store, []*client{s})
	assert.EqualValues(t, 1, r.results.acceptedAfterRevocation.Load())
	assert.False(t, r.ok(t, true))

	r = newTestLoad(t, nil, nil, [][]byte{oldKey})
	s = r.clients[0]
	r.untilRejected(t.Context(), s, r.apis[0], r.refresh(t.Context(), s), time.Now().Add(-listMaxAge-2*time.Second))
	assert.EqualValues(t, 1, r.results.acceptedAfterRevocation.Load(), "the API accepts the token long after")
	assert.False(t, r.ok(t, true))

	r = newTestLoad(t, nil, nil, [][]byte{oldKey})
	r.isActive = func(context.Context, string) bool { return true }
	s = r.clients[0]
	r.untilRejected(t.Context(), s, r.apis[0], r.refresh(t.Context(), s), time.Now().Add(-listMaxAge-2*time.Second))
	assert.EqualValues(t, 1, r.results.lostRevocations.Load(), "the store has lost the revocation")
	assert.Zero(t, r.results.acceptedAfterRevocation.Load())
	assert.False(t, r.results.ok(false))
}

// A client that gets no answer retries with the same token, and loses nothing.
func TestLostAnswerIsNoLostGrant(t *testing.T) {
	var n atomic.Int64
	r := newTestLoad(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1)%3 != 0 {
				next.ServeHTTP(w, q)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), q)
			panic(http.ErrAbortHandler) // it took effect, but the client gets no answer
		})
	}, nil, [][]byte{oldKey})
	r.refreshAll(t.Context(), 15)
	r.checkAll(t.Context(), r.store, r.clients)
	assert.True(t, r.ok(t, false), r.results.notes)
	assert.NotZero(t, r.results.brokenConnections.Load())
	assert.EqualValues(t, 3, r.results.oneTokenWorks.Load())
}
