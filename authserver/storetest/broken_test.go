package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

const brokenEnv = "STORETEST_BROKEN"

// broken are tests that must fail, with stores that break the contract.
var broken = map[string]struct {
	test func(t *testing.T)
	want string // part of the failure
}{
	"a step is not atomic": {func(t *testing.T) {
		storetest.RunNodes(t, func(t *testing.T) string { return serveStore(t, newNonAtomicStore()) }, openRemote)
	}, " replays, want 2 with 999"},
	"Grant returns old rows": {func(t *testing.T) {
		storetest.RunNodes(t, newMemory, func(t *testing.T, addr string) authserver.Store {
			return &cachingStore{Store: openRemote(t, addr)}
		})
	}, "503"},
	"a step is delayed": {func(t *testing.T) {
		storetest.RunNodes(t, newMemory, func(t *testing.T, addr string) authserver.Store {
			return &delayingStore{Store: openRemote(t, addr)}
		})
	}, `: 400 "invalid_grant"`},
	"a node cannot open the store": {func(t *testing.T) {
		storetest.RunNodes(t, newMemory, func(t *testing.T, addr string) authserver.Store {
			if os.Getenv("BEARERGATE_STORETEST_NODE") != "" {
				t.Fatal("no connection left")
			}
			return openRemote(t, addr)
		})
	}, "no connection left"},
	"an unreachable store reports no grant": {func(t *testing.T) {
		outage(t, func(s authserver.Store) authserver.Store { return &errorHidingStore{Store: s} })
	}, `during an outage: 400 "invalid_grant"`},
	"a store does not recover": {func(t *testing.T) {
		outage(t, func(s authserver.Store) authserver.Store { return &failedStore{Store: s} })
	}, "after an outage: 503"},
	"a lost answer is reported as success": {func(t *testing.T) {
		outage(t, func(s authserver.Store) authserver.Store { return &errorIgnoringStore{Store: s} })
	}, "unknown outcome: 200"},
}

func outage(t *testing.T, breakIt func(authserver.Store) authserver.Store) {
	addr := newMemory(t)
	proxy := storetest.NewProxy(t, addr)
	storetest.RunOutage(t, proxy, breakIt(openRemote(t, proxy.Addr())), openRemote(t, addr))
}

// TestBroken runs one broken store, in a process of its own.
func TestBroken(t *testing.T) {
	row, ok := broken[os.Getenv(brokenEnv)]
	if !ok {
		t.Skip("TestBrokenStoresFail runs it")
	}
	row.test(t)
}

func TestBrokenStoresFail(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range broken {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestBroken$")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), row.want) {
				t.Errorf("%v, want a failure with %q:\n%s", err, row.want, out)
			}
		})
	}
}

// nonAtomicStore compares first and writes later. Its first two calls wait for each other in between.
type nonAtomicStore struct {
	authserver.Store
	once [2]sync.Once
	both sync.WaitGroup
}

func newNonAtomicStore() *nonAtomicStore {
	s := &nonAtomicStore{Store: authserver.NewMemoryStore()}
	s.both.Add(len(s.once))
	return s
}

func (s *nonAtomicStore) Advance(ctx context.Context, step authserver.Step) error {
	g, err := s.Grant(ctx, step.ID)
	if err != nil {
		return err
	}
	if g.Generation != step.From {
		return authserver.ErrConflict
	}
	if step.From == 1 && strings.HasSuffix(g.Subject, "all nodes") {
		first := false
		for i := range s.once {
			if s.once[i].Do(func() { first = true }); first {
				s.both.Done()
				s.both.Wait()
				break
			}
		}
		if g, err = s.Grant(ctx, step.ID); err != nil {
			return err
		}
		step.From = g.Generation
	}
	return s.Store.Advance(ctx, step)
}

// cachingStore returns each row as it read it first.
type cachingStore struct {
	authserver.Store
	rows sync.Map
}

func (s *cachingStore) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	if g, ok := s.rows.Load(id); ok {
		return g.(authserver.Grant), nil
	}
	g, err := s.Store.Grant(ctx, id)
	if err != nil {
		return g, err
	}
	first, _ := s.rows.LoadOrStore(id, g)
	return first.(authserver.Grant), nil
}

// delayingStore reports success before a step takes effect, with the next one. The last step is lost with the process.
type delayingStore struct {
	authserver.Store
	mu   sync.Mutex
	next *authserver.Step
}

func (s *delayingStore) Advance(ctx context.Context, step authserver.Step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		_ = s.Store.Advance(ctx, *s.next)
	}
	s.next = &step
	return nil
}

// errorHidingStore reports every error of Grant as ErrNotFound.
type errorHidingStore struct{ authserver.Store }

func (s *errorHidingStore) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	g, err := s.Store.Grant(ctx, id)
	if err != nil {
		err = authserver.ErrNotFound
	}
	return g, err
}

// failedStore keeps failing after its first error.
type failedStore struct {
	authserver.Store
	mu  sync.Mutex
	err error
}

func (s *failedStore) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return authserver.Grant{}, s.err
	}
	g, err := s.Store.Grant(ctx, id)
	if err != nil && err != authserver.ErrNotFound {
		s.err = err
	}
	return g, err
}

// errorIgnoringStore reports every error of Advance but a conflict as success.
type errorIgnoringStore struct{ authserver.Store }

func (s *errorIgnoringStore) Advance(ctx context.Context, step authserver.Step) error {
	if err := s.Store.Advance(ctx, step); err == authserver.ErrConflict {
		return err
	}
	return nil
}
