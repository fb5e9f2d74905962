package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bearergate/bearergate/authserver"
)

var later = epoch.Add(30 * time.Second)

// createSeveral creates grants of two users at two clients in three sessions, one second apart. Two of them are expired
// or revoked.
func createSeveral(t *testing.T, s authserver.Store) map[string]authserver.Grant {
	t.Helper()
	all := map[string]authserver.Grant{}
	for i, r := range []struct{ name, user, client, session string }{
		{"a", "u1", "c1", "s1"}, {"b", "u1", "c2", "s1"}, {"c", "u2", "c1", "s2"}, {"d", "u1", "c1", "s3"},
		{"expired", "u1", "c1", "s1"}, {"revoked", "u1", "c1", "s1"},
	} {
		g := newGrant(r.name)
		g.Subject, g.ClientID, g.SessionID, g.CreatedAt = r.user, r.client, r.session, epoch.Add(time.Duration(i)*time.Second)
		switch r.name {
		case "expired":
			g.IdleExpiresAt = epoch.Add(time.Second)
		case "revoked":
			g.RevokedAt, g.RevokeReason = epoch.Add(time.Second), "client"
		}
		all[r.name] = mustCreate(t, s, g)
	}
	return all
}

func grants(t *testing.T, s authserver.Store) {
	all := createSeveral(t, s)
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
		wantError(t, fmt.Sprintf("Grants %+v", test.sel), err, nil)
		if len(got) != len(test.want) {
			t.Fatalf("Grants %+v: %d grants, want %v", test.sel, len(got), test.want)
		}
		for i, name := range test.want {
			wantGrant(t, got[i], all[name])
		}
	}
}

func revoke(t *testing.T, s authserver.Store) {
	all := createSeveral(t, s)
	for _, test := range []struct {
		sel  authserver.Selector
		want []string // what this call revokes, besides the ones before
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
		wantError(t, fmt.Sprintf("Revoke %+v", test.sel), err, nil)
		if n != len(test.want) {
			t.Fatalf("Revoke %+v: %d grants, want %v", test.sel, n, test.want)
		}
		for _, name := range test.want {
			g := all[name]
			g.RevokedAt, g.RevokeReason = later, "admin"
			all[name] = g
		}
		for _, g := range all {
			wantGrant(t, mustGet(t, s, g.ID), g)
		}
	}
}

func emptySelector(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrant("a"))
	for _, sel := range []authserver.Selector{{}, {Except: "x"}} {
		if n, err := s.Revoke(t.Context(), sel, "admin", epoch); err == nil || n != 0 {
			t.Fatalf("Revoke with an empty selector: %d, %v, want an error", n, err)
		}
		if got, err := s.Grants(t.Context(), sel, epoch, 0); err == nil || len(got) != 0 {
			t.Fatalf("Grants with an empty selector: %d grants, %v, want an error", len(got), err)
		}
	}
	wantGrant(t, mustGet(t, s, g.ID), g)
}

// reasonLimit checks reasons up to the limit and beyond.
func reasonLimit(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrantWithToken("a"))
	tooLong := strings.Repeat("x", authserver.ReasonLength+1)
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: g.ID}, tooLong, epoch); n != 0 || err == nil {
		t.Fatalf("Revoke with a reason that is too long: %d, %v, want an error", n, err)
	}
	wantGrant(t, mustGet(t, s, g.ID), g)
	wantRevocations(t, "after the error", listRevoked(t, s, time.Time{}, "", epoch, 0), nil)
	g.RevokedAt, g.RevokeReason = epoch, strings.Repeat("ü", authserver.ReasonLength/utf8.RuneLen('ü'))
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: g.ID}, g.RevokeReason, epoch); n != 1 || err != nil {
		t.Fatalf("Revoke: %d, %v", n, err)
	}
	wantGrant(t, mustGet(t, s, g.ID), g)
	bare := mustCreate(t, s, newGrant("b"))
	bare.RevokedAt = epoch
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: bare.ID}, "", epoch); n != 1 || err != nil {
		t.Fatalf("Revoke without a reason: %d, %v", n, err)
	}
	wantGrant(t, mustGet(t, s, bare.ID), bare)
}
