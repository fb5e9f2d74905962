package storetest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

const concurrency = 32

// runConcurrently calls f in several goroutines at once and returns how many had no error. Errors other than
// ErrConflict fail the test.
func runConcurrently(t *testing.T, f func(i int) error) int {
	t.Helper()
	var ok atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range concurrency {
		wg.Go(func() {
			<-start
			switch err := f(i); {
			case err == nil:
				ok.Add(1)
			case !errors.Is(err, authserver.ErrConflict):
				t.Errorf("got error %v, want nil or ErrConflict", err)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(ok.Load())
}

func concurrentRotations(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrant("a"))
	for gen := uint32(1); gen <= 5; gen++ {
		n := runConcurrently(t, func(int) error {
			return s.Advance(t.Context(), authserver.Step{ID: g.ID, From: gen, To: gen + 1, Now: epoch})
		})
		if n != 1 || mustGet(t, s, g.ID).Generation != gen+1 {
			t.Fatalf("%d rotations succeeded, the generation is %d, want one and %d", n, mustGet(t, s, g.ID).Generation, gen+1)
		}
	}
}

func concurrentReplays(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrant("a"))
	n := runConcurrently(t, func(int) error {
		return s.Advance(t.Context(), authserver.Step{ID: g.ID, From: 1, To: 1, Now: epoch, Replay: true})
	})
	if got := mustGet(t, s, g.ID).Replays; n != concurrency || got != concurrency {
		t.Fatalf("%d of %d replays succeeded, %d are counted", n, concurrency, got)
	}
}

func revokeDuringAdvance(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrant("a"))
	var revoked atomic.Bool
	runConcurrently(t, func(i int) error {
		if i == concurrency/2 {
			_, err := s.Revoke(t.Context(), authserver.Selector{ID: g.ID}, "user", epoch)
			revoked.Store(true)
			return err
		}
		wasRevoked := revoked.Load()
		err := s.Advance(t.Context(), authserver.Step{ID: g.ID, From: 1, To: 1, Now: epoch, Replay: true})
		if wasRevoked && err == nil {
			t.Error("Advance succeeded after Revoke had returned")
		}
		return err
	})
	if mustGet(t, s, g.ID).RevokedAt.IsZero() {
		t.Fatal("the revocation was lost")
	}
}

// clockedServer is a server with one grant and a clock that the test moves.
type clockedServer struct {
	*authserver.Server
	mu    sync.Mutex
	clock time.Time
	token string
}

func newClockedServer(t *testing.T, s authserver.Store) *clockedServer {
	t.Helper()
	srv := &clockedServer{clock: epoch}
	var err error
	srv.Server, err = newServer(s, func(cfg *authserver.Config) {
		cfg.Now = func() time.Time {
			srv.mu.Lock()
			defer srv.mu.Unlock()
			return srv.clock
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.token = issueRefreshToken(t, srv.Server, "user")
	return srv
}

func (s *clockedServer) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// try returns the status and the refresh token of the answer.
func (s *clockedServer) try(token string) (status int, next string) {
	a := refresh(s, token)
	return a.Status, a.RefreshToken
}

// concurrentRefreshes presents one refresh token in many requests at once. There must be one rotation, and the same
// answer for all. A request after the grace revokes the grant.
func concurrentRefreshes(t *testing.T, store authserver.Store) {
	srv := newClockedServer(t, store)
	const n = 200
	var wg sync.WaitGroup
	statuses, next := make([]int, n), make([]string, n)
	for i := range n {
		wg.Go(func() { statuses[i], next[i] = srv.try(srv.token) })
	}
	wg.Wait()
	for i := range n {
		if statuses[i] != http.StatusOK || next[i] == "" || next[i] != next[0] {
			t.Fatalf("refresh %d: status %d, same new token %v", i, statuses[i], next[i] == next[0])
		}
	}
	if g := onlyGrant(t, store, "user"); g.Generation != 2 || g.Replays != n-1 {
		t.Fatalf("generation %d with %d replays, want 2 with %d", g.Generation, g.Replays, n-1)
	}
	srv.advance(11 * time.Second)
	for _, token := range []string{srv.token, next[0]} {
		if status, _ := srv.try(token); status != http.StatusBadRequest {
			t.Fatalf("after the grace: status %d, want 400", status)
		}
	}
}

// retryAfterLostAnswer drops the store's answer to a step that took effect. The client must get 503, and the new token
// on its retry.
func retryAfterLostAnswer(t *testing.T, store authserver.Store) {
	lossy := &lossyStore{Store: store}
	srv := newClockedServer(t, lossy)
	token := srv.token
	for range 5 {
		lossy.lose = true
		if status, _ := srv.try(token); status != http.StatusServiceUnavailable {
			t.Fatalf("unknown outcome: status %d, want 503", status)
		}
		lossy.lose = false
		status, next := srv.try(token)
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
