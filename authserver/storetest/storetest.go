package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// epoch is the time at which the tests begin.
var epoch = time.Date(2026, 11, 22, 12, 0, 0, int(123*time.Millisecond), time.UTC)

// Run checks a store against the contract of [authserver.Store]. It calls open once for each test. open returns an
// empty store, which it closes with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) authserver.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, authserver.Store)
	}{
		{"Create keeps every field", createKeepsEveryField},
		{"Create rejects an ID that is taken", createRejectsTakenID},
		{"an unknown ID is not found", unknownGrant},
		{"a grant shares no memory with the caller", grantSharesNoMemory},
		{"Advance", advance},
		{"Advance keeps the newest history", advanceHistory},
		{"Grants", grants},
		{"Revoke", revoke},
		{"an empty selector is rejected", emptySelector},
		{"Revoked begins after a position", revokedPositions},
		{"Revoked lists what APIs need", revokedList},
		{"a second Revoke changes nothing", revokedTwice},
		{"Revoked lists grants revoked by any selector", revokedBySelector},
		{"pages list each revocation once", revokedPages},
		{"a poller sees every revocation", revokedWhilePolling},
		{"the length of a reason is limited", reasonLimit},
		{"strings may have any character", anyStrings},
		{"strings may be long", longStrings},
		{"Once", once},
		{"keys of Once may be any bytes", anyOnceKeys},
		{"Sweep", sweep},
		{"Sweep skips extended grants", sweepSkipsExtended},
		{"a grant is swept or refreshed, never both", sweepDuringAdvance},
		{"a cancelled context changes nothing", cancelled},
		{"one of several concurrent rotations succeeds", concurrentRotations},
		{"every concurrent replay is counted", concurrentReplays},
		{"nothing advances after Revoke", revokeDuringAdvance},
		{"one of several concurrent uses of a key succeeds", concurrentOnce},
		{"concurrent refreshes with one token are one rotation", concurrentRefreshes},
		{"a retry heals a step whose answer was lost", retryAfterLostAnswer},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// newGrant returns a grant that expires in an hour, and in a minute when idle.
func newGrant(id string) authserver.Grant {
	return authserver.Grant{
		ID: fmt.Sprintf("%022s", id), Salt: []byte("0123456789abcdef"), ClientID: "client", Subject: "user",
		Scopes: []string{"openid", "api1"}, Refresh: true, SessionID: "session", AuthTime: epoch.Add(-time.Second),
		CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour), IdleExpiresAt: epoch.Add(time.Minute), Generation: 1,
	}
}

func mustCreate(t *testing.T, s authserver.Store, g authserver.Grant) authserver.Grant {
	t.Helper()
	if err := s.Create(t.Context(), g); err != nil {
		t.Fatalf("Create: %v", err)
	}
	return g
}

func mustGet(t *testing.T, s authserver.Store, id string) authserver.Grant {
	t.Helper()
	g, err := s.Grant(t.Context(), id)
	if err != nil {
		t.Fatalf("Grant: %v", err)
	}
	return g
}

// wantGrant compares grants. Times must be equal instants in UTC, and empty lists equal nil ones.
func wantGrant(t *testing.T, got, want authserver.Grant) {
	t.Helper()
	for _, g := range []*authserver.Grant{&got, &want} {
		g.Salt, g.Scopes = slices.Clip(g.Salt), slices.Clip(g.Scopes)
		g.Resources, g.AMR = slices.Clip(g.Resources), slices.Clip(g.AMR)
		for _, list := range []*[]string{&g.Scopes, &g.Resources, &g.AMR} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if len(g.History) == 0 {
			g.History = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the grant differs\n got %+v\nwant %+v", got, want)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

func createKeepsEveryField(t *testing.T, s authserver.Store) {
	g := newGrant("a")
	g.ClientID, g.Subject = "mvc client", "user ü \"quoted\""
	g.Resources, g.RedirectURI = []string{"https://a.example"}, "http://127.0.0.1/cb?x=1"
	g.Challenge, g.Nonce = "challenge", "nonce ✓"
	g.ACR, g.AMR = "gold", []string{"pwd", "otp"}
	g.Generation, g.Replays = 7, 3
	g.History = []time.Time{epoch.Add(time.Millisecond), epoch.Add(time.Second)}
	g.AccessExpiresAt = epoch.Add(5 * time.Minute)
	g.RevokedAt, g.RevokeReason = epoch.Add(time.Minute), "reuse"
	wantGrant(t, mustGet(t, s, mustCreate(t, s, g).ID), g)
	bare := authserver.Grant{ID: newGrant("b").ID, Salt: []byte{0, 255, 1}, ClientID: "c", Subject: "s",
		CreatedAt: epoch, ExpiresAt: epoch, IdleExpiresAt: epoch}
	wantGrant(t, mustGet(t, s, mustCreate(t, s, bare).ID), bare)
}

func createRejectsTakenID(t *testing.T, s authserver.Store) {
	first := mustCreate(t, s, newGrant("a"))
	second := newGrant("a")
	second.Subject = "other"
	wantError(t, "Create", s.Create(t.Context(), second), authserver.ErrConflict)
	wantGrant(t, mustGet(t, s, first.ID), first)
}

func unknownGrant(t *testing.T, s authserver.Store) {
	_, err := s.Grant(t.Context(), newGrant("a").ID)
	wantError(t, "Grant", err, authserver.ErrNotFound)
	err = s.Advance(t.Context(), authserver.Step{ID: newGrant("a").ID, Now: epoch})
	wantError(t, "Advance", err, authserver.ErrNotFound)
}

func grantSharesNoMemory(t *testing.T, s authserver.Store) {
	g := newGrant("a")
	g.History = []time.Time{epoch}
	want := newGrant("a")
	want.History = []time.Time{epoch}
	mustCreate(t, s, g)
	for _, mine := range []authserver.Grant{g, mustGet(t, s, g.ID)} {
		mine.Scopes[0], mine.Salt[0], mine.History[0] = "changed", 'x', epoch.Add(time.Hour)
	}
	wantGrant(t, mustGet(t, s, g.ID), want)
}

func advance(t *testing.T, s authserver.Store) {
	now := epoch.Add(10 * time.Second)
	for i, test := range []struct {
		name   string
		before func(*authserver.Grant)
		step   authserver.Step
		want   error
		after  func(*authserver.Grant)
	}{
		{"rotates", func(g *authserver.Grant) { g.Replays = 4 },
			authserver.Step{From: 1, To: 2, Now: now, IdleExpiresAt: epoch.Add(2 * time.Minute),
				AccessExpiresAt: epoch.Add(time.Minute)}, nil,
			func(g *authserver.Grant) {
				g.Generation, g.History, g.Replays = 2, []time.Time{now}, 0
				g.IdleExpiresAt, g.AccessExpiresAt = epoch.Add(2*time.Minute), epoch.Add(time.Minute)
			}},
		{"extends the idle end", nil, authserver.Step{From: 1, To: 1, Now: now, IdleExpiresAt: epoch.Add(2 * time.Minute)},
			nil,
			func(g *authserver.Grant) { g.IdleExpiresAt = epoch.Add(2 * time.Minute) }},
		{"counts a replay", func(g *authserver.Grant) { g.Replays = 4 },
			authserver.Step{From: 1, To: 1, Now: now, Replay: true}, nil,
			func(g *authserver.Grant) { g.Replays = 5 }},
		{"never shortens the end of access tokens", func(g *authserver.Grant) { g.AccessExpiresAt = epoch.Add(time.Hour) },
			authserver.Step{From: 1, To: 1, Now: now, AccessExpiresAt: epoch.Add(time.Minute)}, nil, func(*authserver.Grant) {}},
		{"skips generations and drops the history before", func(g *authserver.Grant) { g.History = []time.Time{epoch} },
			authserver.Step{From: 1, To: 5, Now: now}, nil,
			func(g *authserver.Grant) { g.Generation, g.History = 5, []time.Time{now} }},
		{"spends a code", func(g *authserver.Grant) { g.Generation = 0 }, authserver.Step{From: 0, To: 1, Now: now}, nil,
			func(g *authserver.Grant) { g.Generation, g.History = 1, []time.Time{now} }},
		{"conflicts with a newer generation", func(g *authserver.Grant) { g.Generation = 2 },
			authserver.Step{From: 1, To: 2, Now: now},
			authserver.ErrConflict, nil},
		{"conflicts with an older generation", nil, authserver.Step{From: 2, To: 3, Now: now}, authserver.ErrConflict, nil},
		{"conflicts with a revocation", func(g *authserver.Grant) { g.RevokedAt, g.RevokeReason = epoch, "user" },
			authserver.Step{From: 1, To: 2, Now: now}, authserver.ErrConflict, nil},
		{"succeeds just before the idle end", nil,
			authserver.Step{From: 1, To: 1, Now: epoch.Add(time.Minute - time.Millisecond)}, nil,
			func(*authserver.Grant) {}},
		{"conflicts at the idle end", nil, authserver.Step{From: 1, To: 2, Now: epoch.Add(time.Minute)},
			authserver.ErrConflict, nil},
		{"conflicts at the absolute end", func(g *authserver.Grant) { g.IdleExpiresAt = epoch.Add(2 * time.Hour) },
			authserver.Step{From: 1, To: 2, Now: epoch.Add(time.Hour)}, authserver.ErrConflict, nil},
		{"counts no replay after a revocation", func(g *authserver.Grant) { g.RevokedAt = epoch },
			authserver.Step{From: 1, To: 1, Now: now, Replay: true},
			authserver.ErrConflict, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGrant(fmt.Sprint(i))
			if test.before != nil {
				test.before(&g)
			}
			mustCreate(t, s, g)
			test.step.ID = g.ID
			wantError(t, "Advance", s.Advance(t.Context(), test.step), test.want)
			if test.after != nil {
				test.after(&g)
			}
			wantGrant(t, mustGet(t, s, g.ID), g)
		})
	}
}

func advanceHistory(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrant("a"))
	for i := range 12 {
		now := epoch.Add(time.Duration(i) * time.Second)
		step := authserver.Step{ID: g.ID, From: uint32(i + 1), To: uint32(i + 2), Now: now}
		wantError(t, "Advance", s.Advance(t.Context(), step), nil)
		if g.History = append(g.History, now); len(g.History) > authserver.HistoryLength {
			g.History = g.History[1:]
		}
		g.Generation++
		wantGrant(t, mustGet(t, s, g.ID), g)
	}
}

func cancelled(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrant("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	step := authserver.Step{ID: g.ID, From: 1, To: 2, Now: epoch}
	if s.Create(ctx, newGrant("b")) == nil || s.Advance(ctx, step) == nil {
		t.Fatal("Create or Advance with a cancelled context returned no error")
	}
	if _, err := s.Revoke(ctx, authserver.Selector{ID: g.ID}, "user", epoch); err == nil {
		t.Fatal("Revoke with a cancelled context returned no error")
	}
	if s.Once(ctx, "key", epoch, epoch.Add(time.Hour)) == nil {
		t.Fatal("Once with a cancelled context returned no error")
	}
	wantGrant(t, mustGet(t, s, g.ID), g)
	_, err := s.Grant(t.Context(), newGrant("b").ID)
	wantError(t, "Grant", err, authserver.ErrNotFound)
	wantError(t, "Once", s.Once(t.Context(), "key", epoch, epoch.Add(time.Hour)), nil)
}
