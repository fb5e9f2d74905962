package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// population fills a store with rows of two users at two clients in three sessions, one second apart; two of them are over.
func population(t *testing.T, s authserver.Store) map[string]authserver.Grant {
	t.Helper()
	all := map[string]authserver.Grant{}
	for i, r := range []struct{ name, user, client, session string }{
		{"a", "u1", "c1", "s1"}, {"b", "u1", "c2", "s1"}, {"c", "u2", "c1", "s2"}, {"d", "u1", "c1", "s3"},
		{"expired", "u1", "c1", "s1"}, {"revoked", "u1", "c1", "s1"},
	} {
		g := row(r.name)
		g.Subject, g.ClientID, g.SessionID, g.CreatedAt = r.user, r.client, r.session, epoch.Add(time.Duration(i)*time.Second)
		switch r.name {
		case "expired":
			g.IdleExpiresAt = epoch.Add(time.Second)
		case "revoked":
			g.RevokedAt, g.RevokeReason = epoch.Add(time.Second), "client"
		}
		all[r.name] = create(t, s, g)
	}
	return all
}

var later = epoch.Add(30 * time.Second)

func grants(t *testing.T, s authserver.Store) {
	all := population(t, s)
	for _, test := range []struct {
		sel   authserver.Selector
		limit int
		want  []string // newest first
	}{
		{authserver.Selector{Subject: "u1"}, 0, []string{"d", "b", "a"}},
		{authserver.Selector{Subject: "u1"}, 2, []string{"d", "b"}},
		{authserver.Selector{Subject: "u1", ClientID: "c1"}, 0, []string{"d", "a"}},
		{authserver.Selector{ClientID: "c1"}, 0, []string{"d", "c", "a"}},
		{authserver.Selector{SessionID: "s1"}, 0, []string{"b", "a"}},
		{authserver.Selector{ID: all["a"].ID}, 0, []string{"a"}},
		{authserver.Selector{ID: all["a"].ID, Subject: "u2"}, 0, nil},
		{authserver.Selector{ID: all["expired"].ID}, 0, nil},
		{authserver.Selector{Subject: "u1", Except: all["d"].ID}, 0, []string{"b", "a"}},
		{authserver.Selector{Subject: "nobody"}, 0, nil},
	} {
		got, err := s.Grants(t.Context(), test.sel, later, test.limit)
		expect(t, fmt.Sprintf("Grants %+v", test.sel), err, nil)
		if len(got) != len(test.want) {
			t.Fatalf("Grants %+v: %d rows, want %v", test.sel, len(got), test.want)
		}
		for i, name := range test.want {
			same(t, got[i], all[name])
		}
	}
}

func revoke(t *testing.T, s authserver.Store) {
	all := population(t, s)
	for _, test := range []struct {
		sel  authserver.Selector
		want []string // those that are revoked by it, in addition to those before
	}{
		{authserver.Selector{Subject: "nobody"}, nil},
		{authserver.Selector{ID: all["a"].ID, ClientID: "c2"}, nil},
		{authserver.Selector{ID: all["a"].ID}, []string{"a"}},
		{authserver.Selector{ID: all["a"].ID}, nil},
		{authserver.Selector{SessionID: "s1"}, []string{"b", "expired"}},
		{authserver.Selector{Subject: "u1", Except: all["d"].ID}, nil},
		{authserver.Selector{ClientID: "c1"}, []string{"c", "d"}},
	} {
		n, err := s.Revoke(t.Context(), test.sel, "admin", later)
		expect(t, fmt.Sprintf("Revoke %+v", test.sel), err, nil)
		if n != len(test.want) {
			t.Fatalf("Revoke %+v: %d rows, want %v", test.sel, n, test.want)
		}
		for _, name := range test.want {
			g := all[name]
			g.RevokedAt, g.RevokeReason = later, "admin"
			all[name] = g
		}
		for _, g := range all {
			same(t, read(t, s, g.ID), g)
		}
	}
}

func emptySelector(t *testing.T, s authserver.Store) {
	g := create(t, s, row("a"))
	for _, sel := range []authserver.Selector{{}, {Except: "x"}} {
		if n, err := s.Revoke(t.Context(), sel, "admin", epoch); err == nil || n != 0 {
			t.Fatalf("Revoke with an empty selector: %d, %v", n, err)
		}
		if got, err := s.Grants(t.Context(), sel, epoch, 0); err == nil || len(got) != 0 {
			t.Fatalf("Grants with an empty selector: %d rows, %v", len(got), err)
		}
	}
	same(t, read(t, s, g.ID), g)
}

func once(t *testing.T, s authserver.Store) {
	until := epoch.Add(time.Minute)
	expect(t, "first use", s.Once(t.Context(), "key", epoch, until), nil)
	expect(t, "second use", s.Once(t.Context(), "key", epoch.Add(time.Second), until), authserver.ErrConflict)
	expect(t, "another key", s.Once(t.Context(), "other", epoch, until), nil)
	expect(t, "just before the end", s.Once(t.Context(), "key", until.Add(-time.Millisecond), until), authserver.ErrConflict)
	expect(t, "after the end", s.Once(t.Context(), "key", until, until.Add(time.Minute)), nil)
}

func sweep(t *testing.T, s authserver.Store) {
	keep := map[string]authserver.Grant{}
	for i := range 5 { // over, nothing left that needs them
		g := row(fmt.Sprint("old", i))
		g.IdleExpiresAt = epoch.Add(time.Second)
		create(t, s, g)
	}
	alive := row("alive")
	inUse := row("in use") // over, but an access token lives
	inUse.RevokedAt, inUse.AccessExpiresAt = epoch, later.Add(time.Second)
	for _, g := range []authserver.Grant{alive, inUse} {
		keep[g.ID] = create(t, s, g)
	}
	expect(t, "Once", s.Once(t.Context(), "old key", epoch, epoch.Add(time.Second)), nil)
	expect(t, "Once", s.Once(t.Context(), "key", epoch, later.Add(time.Second)), nil)

	total := 0
	for range 20 {
		n, err := s.Sweep(t.Context(), later, 2)
		expect(t, "Sweep", err, nil)
		if n > 2 {
			t.Fatalf("Sweep deleted %d, the limit was 2", n)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total != 6 {
		t.Fatalf("Sweep deleted %d, want 5 rows and 1 key", total)
	}
	for _, g := range keep {
		same(t, read(t, s, g.ID), g)
	}
	for i := range 5 {
		_, err := s.Grant(t.Context(), row(fmt.Sprint("old", i)).ID)
		expect(t, "Grant of a swept row", err, authserver.ErrNotFound)
	}
	expect(t, "Once of a kept key", s.Once(t.Context(), "key", later, later.Add(time.Hour)), authserver.ErrConflict)
	got, err := s.Grants(t.Context(), authserver.Selector{Subject: "user"}, epoch, 0)
	if err != nil || slices.ContainsFunc(got, func(g authserver.Grant) bool { return g.ID != alive.ID }) {
		t.Fatalf("Grants still finds swept rows: %d, %v", len(got), err)
	}
}

const crowd = 32

// all runs f in a crowd of goroutines at once and returns how many had no error; errors other than ErrConflict fail the test.
func all(t *testing.T, f func(i int) error) int {
	t.Helper()
	var ok atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range crowd {
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
	g := create(t, s, row("a"))
	for gen := uint32(1); gen <= 5; gen++ {
		n := all(t, func(int) error {
			return s.Advance(t.Context(), authserver.Step{ID: g.ID, From: gen, To: gen + 1, Now: epoch})
		})
		if n != 1 || read(t, s, g.ID).Generation != gen+1 {
			t.Fatalf("%d rotations succeeded, generation is %d, want one and %d", n, read(t, s, g.ID).Generation, gen+1)
		}
	}
}

func concurrentReplays(t *testing.T, s authserver.Store) {
	g := create(t, s, row("a"))
	n := all(t, func(int) error {
		return s.Advance(t.Context(), authserver.Step{ID: g.ID, From: 1, To: 1, Now: epoch, Replay: true})
	})
	if got := read(t, s, g.ID).Replays; n != crowd || got != crowd {
		t.Fatalf("%d of %d replays succeeded, %d are counted", n, crowd, got)
	}
}

func revokeAgainstAdvance(t *testing.T, s authserver.Store) {
	g := create(t, s, row("a"))
	var over atomic.Bool
	all(t, func(i int) error {
		if i == crowd/2 {
			_, err := s.Revoke(t.Context(), authserver.Selector{ID: g.ID}, "user", epoch)
			over.Store(true)
			return err
		}
		wasOver := over.Load()
		err := s.Advance(t.Context(), authserver.Step{ID: g.ID, From: 1, To: 1, Now: epoch, Replay: true})
		if wasOver && err == nil {
			t.Error("Advance succeeded after Revoke had returned")
		}
		return err
	})
	if read(t, s, g.ID).RevokedAt.IsZero() {
		t.Fatal("the revocation was lost")
	}
}

func concurrentOnce(t *testing.T, s authserver.Store) {
	n := all(t, func(int) error { return s.Once(t.Context(), "key", epoch, epoch.Add(time.Minute)) })
	if n != 1 {
		t.Fatalf("%d uses succeeded, want one", n)
	}
}
