package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// server is an authorization server over the store, with a clock that stands still and one session.
type server struct {
	*authserver.Server
	mu    sync.Mutex
	clock time.Time
	token string
}

func newServer(t *testing.T, s authserver.Store) *server {
	t.Helper()
	srv := &server{clock: epoch}
	cfg := authserver.NewConfig("https://login.example")
	cfg.Store = s
	cfg.Now = func() time.Time {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		return srv.clock
	}
	cfg.Clients = []authserver.Client{{ID: "app", Grants: []string{"refresh_token"}, Scopes: []string{"offline_access"}}}
	var err error
	if srv.Server, err = authserver.New(cfg); err != nil {
		t.Fatal(err)
	}
	tokens, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "app", Subject: "user"})
	if err != nil {
		t.Fatal(err)
	}
	srv.token = tokens.RefreshToken
	return srv
}

func (s *server) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// refresh returns the status and the refresh token of the answer.
func (s *server) refresh(token string) (status int, next string) {
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}}
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "https://login.example/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		return 0, ""
	}
	return w.Code, answer.RefreshToken
}

// submissions has many requests present one refresh token at once: one rotation, and the same answer for all. The one that comes
// after the grace ends the family.
func submissions(t *testing.T, store authserver.Store) {
	srv := newServer(t, store)
	const n = 200
	var wg sync.WaitGroup
	statuses, next := make([]int, n), make([]string, n)
	for i := range n {
		wg.Go(func() { statuses[i], next[i] = srv.refresh(srv.token) })
	}
	wg.Wait()
	for i := range n {
		if statuses[i] != http.StatusOK || next[i] == "" || next[i] != next[0] {
			t.Fatalf("submission %d: status %d, same successor %v", i, statuses[i], next[i] == next[0])
		}
	}
	list, err := store.Grants(t.Context(), authserver.Selector{Subject: "user"}, epoch, 0)
	if err != nil || len(list) != 1 || list[0].Generation != 2 || list[0].Replays != n-1 {
		t.Fatalf("want one row at generation 2 with %d replays, got %+v, %v", n-1, list, err)
	}
	srv.advance(11 * time.Second)
	for _, token := range []string{srv.token, next[0]} {
		if status, _ := srv.refresh(token); status != http.StatusBadRequest {
			t.Fatalf("after the grace: status %d, want 400", status)
		}
	}
}

// lostAnswers drops what the store says to a step that it has taken: the client is told to try again, and then gets the successor.
func lostAnswers(t *testing.T, store authserver.Store) {
	lossy := &lossyStore{Store: store}
	srv := newServer(t, lossy)
	token := srv.token
	for range 5 {
		lossy.lose = true
		if status, _ := srv.refresh(token); status != http.StatusServiceUnavailable {
			t.Fatalf("unknown outcome: status %d, want 503", status)
		}
		lossy.lose = false
		status, next := srv.refresh(token)
		if status != http.StatusOK || next == token {
			t.Fatalf("the retry: status %d, new token %v", status, next != token)
		}
		token = next
		srv.advance(time.Minute)
	}
}

type lossyStore struct {
	authserver.Store
	lose bool
}

func (l *lossyStore) Advance(ctx context.Context, step authserver.Step) error {
	err := l.Store.Advance(ctx, step)
	if l.lose {
		return errors.Join(errors.New("storetest: the connection broke"), err)
	}
	return err
}
