package boltstore_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
	"github.com/bearergate/bearergate/jwks"
)

const issuer = "http://127.0.0.1:5000"

// newServer returns a server over a store, with one public client whose grants come from IssueTokens.
func newServer(t testing.TB, s *boltstore.Store, now func() time.Time) *authserver.Server {
	t.Helper()
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: s, Now: now})
	require.NoError(t, err)
	cfg := authserver.NewConfig(issuer)
	cfg.Store, cfg.RefreshKeys, cfg.Keys, cfg.Now = s, s.RefreshKeys(), keys, now
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	cfg.Clients = []authserver.Client{
		{ID: "app", GrantTypes: []string{"refresh_token"}, Scopes: []string{"api1", "offline_access"}},
	}
	srv, err := authserver.New(cfg)
	require.NoError(t, err)
	return srv
}

func issueRefreshToken(t testing.TB, srv *authserver.Server, subject string) string {
	t.Helper()
	tokens, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "app", Subject: subject})
	require.NoError(t, err)
	return tokens.RefreshToken
}

func refreshBody(token string) string {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}}.Encode()
}

type answer struct {
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

func refresh(t testing.TB, srv http.Handler, token string) (int, answer) {
	r := httptest.NewRequest("POST", issuer+"/token", strings.NewReader(refreshBody(token)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, r)
	var a answer
	assert.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a))
	return rec.Code, a
}

func TestConcurrentRefreshesRotateOnce(t *testing.T) {
	var mu sync.Mutex
	clock := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return clock
	}
	s := open(t, t.TempDir())
	srv := newServer(t, s, now)
	token := issueRefreshToken(t, srv, "alice")
	const n = 1000
	var wg sync.WaitGroup
	codes, answers := make([]int, n), make([]answer, n)
	for i := range n {
		wg.Go(func() { codes[i], answers[i] = refresh(t, srv, token) })
	}
	wg.Wait()
	successors := map[string]bool{}
	for i := range n {
		require.Equal(t, http.StatusOK, codes[i], answers[i].Error)
		successors[answers[i].RefreshToken] = true
	}
	assert.Len(t, successors, 1)
	list, err := s.Grants(t.Context(), authserver.Selector{Subject: "alice"}, clock, 0)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.EqualValues(t, 2, list[0].Generation, "one rotation")
	assert.Equal(t, n-1, list[0].Replays)

	mu.Lock()
	clock = clock.Add(10*time.Second + time.Millisecond)
	mu.Unlock()
	status, a := refresh(t, srv, token)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "invalid_grant", a.Error)
	for successor := range successors {
		status, _ = refresh(t, srv, successor)
		assert.Equal(t, http.StatusBadRequest, status, "the refresh after the grace revoked the grant")
	}
}

func TestGrantsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	token := issueRefreshToken(t, newServer(t, s, nil), "alice")
	require.NoError(t, s.Close())
	status, a := refresh(t, newServer(t, open(t, dir), nil), token)
	assert.Equal(t, http.StatusOK, status, a.Error)
}
