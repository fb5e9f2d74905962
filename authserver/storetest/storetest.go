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

// epoch is the time that the tests begin at.
var epoch = time.Date(2026, 11, 22, 12, 0, 0, int(123*time.Millisecond), time.UTC)

// Run checks a store against the contract. open returns an empty store; it is called once for each test, and closes with
// t.Cleanup what it opens.
func Run(t *testing.T, open func(t *testing.T) authserver.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, authserver.Store)
	}{
		{"Create keeps every field", createKeepsEveryField},
		{"Create refuses a taken id", createRefusesTakenID},
		{"Grant of an unknown id", grantUnknown},
		{"rows are not shared with the caller", rowsAreNotShared},
		{"Advance", advance},
		{"Advance keeps the newest supersession times", advanceHistory},
		{"Grants", grants},
		{"Revoke", revoke},
		{"an empty selector is refused", emptySelector},
		{"Revoked begins after a position", revokedPositions},
		{"Revoked lists what APIs need to know", revokedRows},
		{"a row that is revoked again keeps its place", revokedAgain},
		{"however a row is revoked, it is listed", revokedBySelector},
		{"page by page each revocation comes once", revokedWalk},
		{"who polls gets to know of every revocation", revokedWhileReading},
		{"a reason has a limit", reasons},
		{"strings may be odd", oddStrings},
		{"strings may be long", longStrings},
		{"Once", once},
		{"keys to remember may be anything", oddKeys},
		{"Sweep", sweep},
		{"Sweep leaves what was given a longer life", sweepOfRefreshed},
		{"rows are swept or refreshed, never both", sweepAgainstAdvance},
		{"a cancelled context changes nothing", cancelled},
		{"of concurrent rotations one succeeds", concurrentRotations},
		{"concurrent replays are all counted", concurrentReplays},
		{"after Revoke nothing advances", revokeAgainstAdvance},
		{"of concurrent uses of a key one succeeds", concurrentOnce},
		{"many submissions of one refresh token are one rotation", submissions},
		{"a step whose answer is lost is healed by the retry", lostAnswers},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// row returns a grant that lives for an hour, a minute idle.
func row(id string) authserver.Grant {
	return authserver.Grant{
		ID: fmt.Sprintf("%022s", id), Salt: []byte("0123456789abcdef"), ClientID: "client", Subject: "user",
		Scopes: []string{"openid", "api1"}, Refresh: true, SessionID: "session", AuthTime: epoch.Add(-time.Second), CreatedAt: epoch,
		ExpiresAt: epoch.Add(time.Hour), IdleExpiresAt: epoch.Add(time.Minute), Generation: 1,
	}
}

func create(t *testing.T, s authserver.Store, g authserver.Grant) authserver.Grant {
	t.Helper()
	if err := s.Create(t.Context(), g); err != nil {
		t.Fatalf("Create: %v", err)
	}
	return g
}

func read(t *testing.T, s authserver.Store, id string) authserver.Grant {
	t.Helper()
	g, err := s.Grant(t.Context(), id)
	if err != nil {
		t.Fatalf("Grant: %v", err)
	}
	return g
}

// same compares rows; times by instant and location UTC, empty lists like nil ones.
func same(t *testing.T, got, want authserver.Grant) {
	t.Helper()
	for _, g := range []*authserver.Grant{&got, &want} {
		g.Salt, g.Scopes, g.Resources, g.AMR = slices.Clip(g.Salt), slices.Clip(g.Scopes), slices.Clip(g.Resources), slices.Clip(g.AMR)
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
		t.Fatalf("the row differs\n got %+v\nwant %+v", got, want)
	}
}

func expect(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

func createKeepsEveryField(t *testing.T, s authserver.Store) {
	g := row("a")
	g.ClientID, g.Subject = "mvc client", "user ü \"quoted\""
	g.Resources, g.RedirectURI, g.Challenge, g.Nonce = []string{"https://a.example"}, "http://127.0.0.1/cb?x=1", "challenge", "nonce ✓"
	g.ACR, g.AMR = "gold", []string{"pwd", "otp"}
	g.Generation, g.Replays = 7, 3
	g.History = []time.Time{epoch.Add(time.Millisecond), epoch.Add(time.Second)}
	g.AccessExpiresAt = epoch.Add(5 * time.Minute)
	g.RevokedAt, g.RevokeReason = epoch.Add(time.Minute), "reuse"
	same(t, read(t, s, create(t, s, g).ID), g)
	bare := authserver.Grant{ID: row("b").ID, Salt: []byte{0, 255, 1}, ClientID: "c", Subject: "s", CreatedAt: epoch, ExpiresAt: epoch,
		IdleExpiresAt: epoch}
	same(t, read(t, s, create(t, s, bare).ID), bare)
}

func createRefusesTakenID(t *testing.T, s authserver.Store) {
	first := create(t, s, row("a"))
	second := row("a")
	second.Subject = "other"
	expect(t, "Create", s.Create(t.Context(), second), authserver.ErrConflict)
	same(t, read(t, s, first.ID), first)
}

func grantUnknown(t *testing.T, s authserver.Store) {
	_, err := s.Grant(t.Context(), row("a").ID)
	expect(t, "Grant", err, authserver.ErrNotFound)
	expect(t, "Advance", s.Advance(t.Context(), authserver.Step{ID: row("a").ID, Now: epoch}), authserver.ErrNotFound)
}

func rowsAreNotShared(t *testing.T, s authserver.Store) {
	g := row("a")
	g.History = []time.Time{epoch}
	want := row("a")
	want.History = []time.Time{epoch}
	create(t, s, g)
	for _, mine := range []authserver.Grant{g, read(t, s, g.ID)} {
		mine.Scopes[0], mine.Salt[0], mine.History[0] = "changed", 'x', epoch.Add(time.Hour)
	}
	same(t, read(t, s, g.ID), want)
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
			authserver.Step{From: 1, To: 2, Now: now, IdleExpiresAt: epoch.Add(2 * time.Minute), AccessExpiresAt: epoch.Add(time.Minute)}, nil,
			func(g *authserver.Grant) {
				g.Generation, g.History, g.Replays = 2, []time.Time{now}, 0
				g.IdleExpiresAt, g.AccessExpiresAt = epoch.Add(2*time.Minute), epoch.Add(time.Minute)
			}},
		{"touches", nil, authserver.Step{From: 1, To: 1, Now: now, IdleExpiresAt: epoch.Add(2 * time.Minute)}, nil,
			func(g *authserver.Grant) { g.IdleExpiresAt = epoch.Add(2 * time.Minute) }},
		{"counts a replay", func(g *authserver.Grant) { g.Replays = 4 }, authserver.Step{From: 1, To: 1, Now: now, Replay: true}, nil,
			func(g *authserver.Grant) { g.Replays = 5 }},
		{"never takes back the end of an access token", func(g *authserver.Grant) { g.AccessExpiresAt = epoch.Add(time.Hour) },
			authserver.Step{From: 1, To: 1, Now: now, AccessExpiresAt: epoch.Add(time.Minute)}, nil, func(*authserver.Grant) {}},
		{"skips generations and forgets when the others were superseded", func(g *authserver.Grant) { g.History = []time.Time{epoch} },
			authserver.Step{From: 1, To: 5, Now: now}, nil,
			func(g *authserver.Grant) { g.Generation, g.History = 5, []time.Time{now} }},
		{"spends a code", func(g *authserver.Grant) { g.Generation = 0 }, authserver.Step{From: 0, To: 1, Now: now}, nil,
			func(g *authserver.Grant) { g.Generation, g.History = 1, []time.Time{now} }},
		{"not from an older generation", func(g *authserver.Grant) { g.Generation = 2 }, authserver.Step{From: 1, To: 2, Now: now},
			authserver.ErrConflict, nil},
		{"not from a newer generation", nil, authserver.Step{From: 2, To: 3, Now: now}, authserver.ErrConflict, nil},
		{"not once revoked", func(g *authserver.Grant) { g.RevokedAt, g.RevokeReason = epoch, "user" },
			authserver.Step{From: 1, To: 2, Now: now}, authserver.ErrConflict, nil},
		{"until just before the idle end", nil, authserver.Step{From: 1, To: 1, Now: epoch.Add(time.Minute - time.Millisecond)}, nil,
			func(*authserver.Grant) {}},
		{"not at the idle end", nil, authserver.Step{From: 1, To: 2, Now: epoch.Add(time.Minute)}, authserver.ErrConflict, nil},
		{"not at the absolute end", func(g *authserver.Grant) { g.IdleExpiresAt = epoch.Add(2 * time.Hour) },
			authserver.Step{From: 1, To: 2, Now: epoch.Add(time.Hour)}, authserver.ErrConflict, nil},
		{"no replay once revoked", func(g *authserver.Grant) { g.RevokedAt = epoch }, authserver.Step{From: 1, To: 1, Now: now, Replay: true},
			authserver.ErrConflict, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := row(fmt.Sprint(i))
			if test.before != nil {
				test.before(&g)
			}
			create(t, s, g)
			test.step.ID = g.ID
			expect(t, "Advance", s.Advance(t.Context(), test.step), test.want)
			if test.after != nil {
				test.after(&g)
			}
			same(t, read(t, s, g.ID), g)
		})
	}
}

func advanceHistory(t *testing.T, s authserver.Store) {
	g := create(t, s, row("a"))
	for i := range 12 {
		now := epoch.Add(time.Duration(i) * time.Second)
		step := authserver.Step{ID: g.ID, From: uint32(i + 1), To: uint32(i + 2), Now: now}
		expect(t, "Advance", s.Advance(t.Context(), step), nil)
		if g.History = append(g.History, now); len(g.History) > authserver.HistoryLength {
			g.History = g.History[1:]
		}
		g.Generation++
		same(t, read(t, s, g.ID), g)
	}
}

func cancelled(t *testing.T, s authserver.Store) {
	g := create(t, s, row("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s.Create(ctx, row("b")) == nil || s.Advance(ctx, authserver.Step{ID: g.ID, From: 1, To: 2, Now: epoch}) == nil {
		t.Fatal("Create or Advance with a cancelled context returned no error")
	}
	if _, err := s.Revoke(ctx, authserver.Selector{ID: g.ID}, "user", epoch); err == nil {
		t.Fatal("Revoke with a cancelled context returned no error")
	}
	if s.Once(ctx, "key", epoch, epoch.Add(time.Hour)) == nil {
		t.Fatal("Once with a cancelled context returned no error")
	}
	same(t, read(t, s, g.ID), g)
	_, err := s.Grant(t.Context(), row("b").ID)
	expect(t, "Grant", err, authserver.ErrNotFound)
	expect(t, "Once", s.Once(t.Context(), "key", epoch, epoch.Add(time.Hour)), nil)
}
