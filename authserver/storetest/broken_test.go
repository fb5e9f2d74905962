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

// broken are tests that have to fail: of stores that do what stores must not.
var broken = map[string]struct {
	test func(t *testing.T)
	says string // what the failure is about
}{
	"a step is two": {func(t *testing.T) {
		storetest.RunNodes(t, func(t *testing.T) string { return keep(t, newTwoSteps()) }, share)
	}, " replays, want 2 with 999"},
	"rows are read that are over": {func(t *testing.T) {
		storetest.RunNodes(t, newMemory, func(t *testing.T, addr string) authserver.Store { return &stale{Store: share(t, addr)} })
	}, "503"},
	"a step is put off": {func(t *testing.T) {
		storetest.RunNodes(t, newMemory, func(t *testing.T, addr string) authserver.Store { return &late{Store: share(t, addr)} })
	}, `: 400 "invalid_grant"`},
	"a node does not open": {func(t *testing.T) {
		storetest.RunNodes(t, newMemory, func(t *testing.T, addr string) authserver.Store {
			if os.Getenv("BEARERGATE_STORETEST_NODE") != "" {
				t.Fatal("no room for another connection")
			}
			return share(t, addr)
		})
	}, "no room for another connection"},
	"a store that is away has no rows": {func(t *testing.T) {
		outage(t, func(s authserver.Store) authserver.Store { return &empty{Store: s} })
	}, `while the store is away: 400 "invalid_grant"`},
	"a store that was away stays away": {func(t *testing.T) {
		outage(t, func(s authserver.Store) authserver.Store { return &gone{Store: s} })
	}, "when the store is back: 503"},
	"a step whose answer is lost is reported as taken": {func(t *testing.T) {
		outage(t, func(s authserver.Store) authserver.Store { return &hopeful{Store: s} })
	}, "unknown outcome: 200"},
}

func outage(t *testing.T, breakIt func(authserver.Store) authserver.Store) {
	addr := newMemory(t)
	line := storetest.NewLine(t, addr)
	storetest.RunOutage(t, line, breakIt(share(t, line.Addr())), share(t, addr))
}

// TestBroken does nothing but in a process of its own.
func TestBroken(t *testing.T) {
	row, ok := broken[os.Getenv(brokenEnv)]
	if !ok {
		t.Skip("TestBrokenStoresAreFound runs it")
	}
	row.test(t)
}

func TestBrokenStoresAreFound(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range broken {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestBroken$")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), row.says) {
				t.Errorf("%v, want a failure that says %q:\n%s", err, row.says, out)
			}
		})
	}
}

// twoSteps compares first and writes then. The first who compare wait for each other.
type twoSteps struct {
	authserver.Store
	once [2]sync.Once
	both sync.WaitGroup
}

func newTwoSteps() *twoSteps {
	s := &twoSteps{Store: authserver.NewMemoryStore()}
	s.both.Add(len(s.once))
	return s
}

func (s *twoSteps) Advance(ctx context.Context, step authserver.Step) error {
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

// stale remembers how it has read a row.
type stale struct {
	authserver.Store
	rows sync.Map
}

func (s *stale) Grant(ctx context.Context, id string) (authserver.Grant, error) {
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

// late says that a step is taken and takes it before the next one: the last one goes with the process.
type late struct {
	authserver.Store
	mu   sync.Mutex
	next *authserver.Step
}

func (s *late) Advance(ctx context.Context, step authserver.Step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		_ = s.Store.Advance(ctx, *s.next)
	}
	s.next = &step
	return nil
}

// empty takes what it can't reach for what is not there.
type empty struct{ authserver.Store }

func (s *empty) Grant(ctx context.Context, id string) (authserver.Grant, error) {
	g, err := s.Store.Grant(ctx, id)
	if err != nil {
		err = authserver.ErrNotFound
	}
	return g, err
}

// gone fails for ever when it has failed once.
type gone struct {
	authserver.Store
	mu  sync.Mutex
	err error
}

func (s *gone) Grant(ctx context.Context, id string) (authserver.Grant, error) {
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

// hopeful takes a lost answer for a good one.
type hopeful struct{ authserver.Store }

func (s *hopeful) Advance(ctx context.Context, step authserver.Step) error {
	if err := s.Store.Advance(ctx, step); err == authserver.ErrConflict {
		return err
	}
	return nil
}
