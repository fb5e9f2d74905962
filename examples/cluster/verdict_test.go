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

// memoryStore is a session store without processes; its keys are its own.
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

// rig is servers and an API in this process, and the load on them.
type rig struct {
	*load
	sessions []*session
	store    *memoryStore
	first    string // the first session's first token
}

var oldKey, newKey = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)

// newRig has one server for each list of refresh keys; they take turns. broken stands between the clients and the servers.
func newRig(t *testing.T, broken func(http.Handler) http.Handler, api http.HandlerFunc, keys ...[][]byte) *rig {
	t.Helper()
	r := &rig{store: &memoryStore{Store: authserver.NewMemoryStore()}}
	var servers []*authserver.Server
	var turn atomic.Int64
	front := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		servers[int(turn.Add(1))%len(servers)].ServeHTTP(w, q)
	}))
	if broken != nil {
		front = broken(front)
	}
	at := httptest.NewServer(front)
	t.Cleanup(at.Close)
	if api == nil {
		api = func(http.ResponseWriter, *http.Request) {}
	}
	resource := httptest.NewServer(api)
	t.Cleanup(resource.Close)
	for _, k := range keys {
		c := nodeConfig{Issuer: at.URL, RefreshKeys: k, AccessLifetime: time.Minute, Grace: time.Minute, KeyRotation: time.Hour}
		server, err := c.server(r.store, nil, nil)
		require.NoError(t, err)
		servers = append(servers, server)
	}
	const sessions = 3
	r.load = newLoad(at.URL, []string{resource.URL}, sessions)
	t.Cleanup(r.client.CloseIdleConnections)
	for i := range sessions {
		tokens, err := servers[0].IssueTokens(t.Context(), authserver.IssueRequest{ClientID: loadClient, Subject: "alice"})
		require.NoError(t, err)
		s, err := newSession(i, tokens.RefreshToken)
		require.NoError(t, err)
		if r.first == "" {
			r.first = tokens.RefreshToken
		}
		r.sessions = append(r.sessions, s)
	}
	return r
}

// steps has each session refresh so many times.
func (r *rig) steps(ctx context.Context, n int) {
	for _, s := range r.sessions {
		for i := 0; i < n && s.ended == ""; i++ {
			if access := r.refresh(ctx, s); access != "" {
				r.call(ctx, r.apis[0], access)
			}
		}
	}
}

func (r *rig) verdict(t *testing.T, mayLose bool) bool {
	t.Helper()
	var out strings.Builder
	require.NoError(t, r.tally.print(&out, time.Second, mayLose))
	assert.NotRegexp(t, secretsInLogs, out.String())
	return r.tally.ok(mayLose)
}

func TestAllIsWell(t *testing.T) {
	r := newRig(t, nil, nil, [][]byte{oldKey}, [][]byte{oldKey})
	r.double = 50
	r.steps(t.Context(), 20)
	r.checkAtEnd(t.Context(), r.store, r.sessions)
	assert.True(t, r.verdict(t, false), r.tally.said)
	assert.EqualValues(t, 3, r.tally.onlyOne.Load())
	assert.EqualValues(t, 3, r.tally.thieves.Load())
}

// Two servers that do not agree which key makes refresh tokens give out two values for one generation. Both verify, so a client alone
// would never notice.
func TestAForkIsFound(t *testing.T) {
	r := newRig(t, nil, nil, [][]byte{oldKey, newKey}, [][]byte{newKey, oldKey})
	r.double = 100
	r.steps(t.Context(), 20)
	assert.NotZero(t, r.tally.forked.Load())
	assert.Zero(t, r.tally.lost.Load())
	assert.False(t, r.verdict(t, true))
}

// A session that goes on after a token that was replaced long ago has come: a store that does not carry out what it is told.
type forgetful struct{ authserver.Store }

func (forgetful) Revoke(context.Context, authserver.Selector, string, time.Time) (int, error) {
	return 1, nil
}

func TestASessionThatOutlivesReuseIsFound(t *testing.T) {
	r := newRig(t, nil, nil, [][]byte{oldKey})
	r.store.Store = forgetful{r.store.Store}
	r.steps(t.Context(), 20)
	r.checkAtEnd(t.Context(), r.store, r.sessions)
	assert.EqualValues(t, 3, r.tally.forked.Load())
	assert.False(t, r.verdict(t, true))
}

// A copy of a token that is used late ends the session: its client is told invalid_grant and has done nothing wrong.
func TestALostSessionIsFound(t *testing.T) {
	r := newRig(t, nil, nil, [][]byte{oldKey})
	r.steps(t.Context(), 20)
	require.NotEmpty(t, r.post(t.Context(), r.first).refused, "used late")
	r.steps(t.Context(), 1)
	assert.EqualValues(t, 1, r.tally.lost.Load())
	assert.False(t, r.verdict(t, true))
}

// A row that is behind its client is told from a session that was lost for no reason.
func TestARollbackIsFound(t *testing.T) {
	r := newRig(t, nil, nil, [][]byte{oldKey})
	r.behind = func(_ context.Context, grant string, generation uint32) bool {
		return grant == r.sessions[0].grant && generation == r.sessions[0].gen
	}
	r.steps(t.Context(), 20)
	require.NotEmpty(t, r.post(t.Context(), r.first).refused)
	r.steps(t.Context(), 1)
	assert.EqualValues(t, 1, r.tally.rolledBack.Load())
	assert.False(t, r.verdict(t, false), "a store that syncs may not forget")
	assert.True(t, r.verdict(t, true))
}

func TestARefusedAccessTokenIsFound(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		var calls atomic.Int64
		r := newRig(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 7 {
				w.WriteHeader(status)
			}
		}, [][]byte{oldKey})
		r.steps(t.Context(), 5)
		assert.EqualValues(t, 1, r.tally.refused.Load())
		assert.False(t, r.verdict(t, true))
	}
}

// A revocation is one only when the API refuses the session's tokens, and the server its refresh token.
func TestARevokedSessionThatGoesOnIsFound(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	r := newRig(t, nil, refuse, [][]byte{oldKey})
	s := r.sessions[0]
	r.revoke(t.Context(), s, r.refresh(t.Context(), s))
	r.checkAtEnd(t.Context(), r.store, []*session{s})
	assert.EqualValues(t, 1, r.tally.revoked.Load())
	assert.Len(t, r.tally.ends, 1)
	assert.Zero(t, r.tally.late.Load())

	r = newRig(t, nil, refuse, [][]byte{oldKey})
	r.store.Store = forgetful{r.store.Store}
	s = r.sessions[0]
	r.revoke(t.Context(), s, r.refresh(t.Context(), s))
	r.checkAtEnd(t.Context(), r.store, []*session{s})
	assert.EqualValues(t, 1, r.tally.late.Load())
	assert.False(t, r.verdict(t, true))

	r = newRig(t, nil, nil, [][]byte{oldKey})
	s = r.sessions[0]
	r.untilRefused(t.Context(), s, r.apis[0], r.refresh(t.Context(), s), time.Now().Add(-feedMaxAge-2*time.Second))
	assert.EqualValues(t, 1, r.tally.late.Load(), "the API accepts long after")
	assert.False(t, r.verdict(t, true))

	r = newRig(t, nil, nil, [][]byte{oldKey})
	r.alive = func(context.Context, string) bool { return true }
	s = r.sessions[0]
	r.untilRefused(t.Context(), s, r.apis[0], r.refresh(t.Context(), s), time.Now().Add(-feedMaxAge-2*time.Second))
	assert.EqualValues(t, 1, r.tally.undone.Load(), "the store has forgotten")
	assert.Zero(t, r.tally.late.Load())
	assert.False(t, r.tally.ok(false))
}

// An answer that is lost on its way is asked for again, with the same token, and counts as what it is.
func TestALostAnswerIsNoLostSession(t *testing.T) {
	var n atomic.Int64
	r := newRig(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1)%3 != 0 {
				next.ServeHTTP(w, q)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), q)
			panic(http.ErrAbortHandler) // carried out, and the client does not know
		})
	}, nil, [][]byte{oldKey})
	r.steps(t.Context(), 15)
	r.checkAtEnd(t.Context(), r.store, r.sessions)
	assert.True(t, r.verdict(t, false), r.tally.said)
	assert.NotZero(t, r.tally.transport.Load())
	assert.EqualValues(t, 3, r.tally.onlyOne.Load())
}
