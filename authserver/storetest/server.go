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
	"github.com/bearergate/bearergate/jwks"
)

const (
	issuer    = "https://login.example"
	tokenPath = "/token"
	formType  = "application/x-www-form-urlencoded"
	client    = "app"
)

// refreshKey is the same in all processes.
var refreshKey = []byte("0123456789abcdef0123456789abcdef")

// serverOver is an authorization server over the store, which keeps its signing keys too if it can, with one public client that gets its
// sessions from IssueTokens. Its clock stands still. It is the same in every process.
func serverOver(s authserver.Store, changes ...func(*authserver.Config)) (*authserver.Server, error) {
	cfg := authserver.NewConfig(issuer)
	cfg.Store, cfg.RefreshKeys = s, [][]byte{refreshKey}
	cfg.Now = func() time.Time { return epoch }
	cfg.Clients = []authserver.Client{{ID: client, GrantTypes: []string{"refresh_token"}, Scopes: []string{"offline_access"}}}
	for _, change := range changes {
		change(cfg)
	}
	if keys, ok := s.(jwks.KeyStore); ok {
		var err error
		if cfg.Keys, err = jwks.NewRotator(jwks.RotatorConfig{Store: keys, Now: cfg.Now}); err != nil {
			return nil, err
		}
	}
	return authserver.New(cfg)
}

// signIn begins a session and returns its first refresh token.
func signIn(t *testing.T, srv *authserver.Server, subject string) string {
	t.Helper()
	tokens, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: client, Subject: subject})
	if err != nil {
		t.Fatalf("IssueTokens: %v", err)
	}
	return tokens.RefreshToken
}

// answer is what the token endpoint says. Its status is 0 if it is not JSON.
type answer struct {
	Status       int    `json:"-"`
	RetryAfter   string `json:"-"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

// form is the body of a refresh.
func form(token string) string {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {token}}.Encode()
}

// submit presents a refresh token, without a network.
func submit(srv http.Handler, token string) answer {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, issuer+tokenPath, strings.NewReader(form(token)))
	r.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	a := answer{Status: w.Code, RetryAfter: w.Header().Get("Retry-After")}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		return answer{}
	}
	return a
}

// session finds the only one of a user.
func session(t *testing.T, s authserver.Store, subject string) authserver.Grant {
	t.Helper()
	list, err := s.Grants(t.Context(), authserver.Selector{Subject: subject}, epoch, 0)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d sessions of %s, want one: %v", len(list), subject, err)
	}
	return list[0]
}

// server is one with a clock that the test moves and one session.
type server struct {
	*authserver.Server
	mu    sync.Mutex
	clock time.Time
	token string
}

func newServer(t *testing.T, s authserver.Store) *server {
	t.Helper()
	srv := &server{clock: epoch}
	var err error
	srv.Server, err = serverOver(s, func(cfg *authserver.Config) {
		cfg.Now = func() time.Time {
			srv.mu.Lock()
			defer srv.mu.Unlock()
			return srv.clock
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.token = signIn(t, srv.Server, "user")
	return srv
}

func (s *server) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// refresh returns the status and the refresh token of the answer.
func (s *server) refresh(token string) (status int, next string) {
	a := submit(s, token)
	return a.Status, a.RefreshToken
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
	if g := session(t, store, "user"); g.Generation != 2 || g.Replays != n-1 {
		t.Fatalf("generation %d with %d replays, want 2 with %d", g.Generation, g.Replays, n-1)
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
