package storetest

import (
	"strings"
	"testing"

	"github.com/bearergate/bearergate/authserver"
)

// specialText returns text that a layer of a store might misread: quotes and escapes of SQL, JSON and Lua, patterns,
// separators, control characters, and the limits of UTF-8. It has everything except U+0000.
func specialText(name string) string {
	var b strings.Builder
	for c := range rune(0xa0) {
		if c != 0 {
			b.WriteRune(c)
		}
	}
	b.WriteString(`\u0000 \x00 %00 %s {} {1,2} NULL '; -- $1 \' "" [[ ]] *? `)
	b.WriteString("\u2028\ufeff\ufffd\uffff\U0010ffff\u202e e\u0301 ")
	return name + b.String() + name
}

// anyStrings checks that every string is stored exactly, and that similar strings are different ones.
func anyStrings(t *testing.T, s authserver.Store) {
	g := newGrantWithToken("a")
	g.ClientID, g.Subject, g.SessionID = specialText("client"), specialText("subject"), specialText("session")
	g.RedirectURI, g.Challenge, g.ACR = specialText("redirect"), specialText("challenge"), specialText("acr")
	g.Scopes, g.Resources = []string{specialText("scope"), ""}, []string{"", specialText("resource")}
	g.AMR = []string{specialText("amr"), "a,b", "{", `"`}
	g.Salt = make([]byte, 256)
	for i := range g.Salt {
		g.Salt[i] = byte(i)
	}
	g.Nonce = "\x00" + specialText("nonce") + "\x00"
	mustCreate(t, s, g)
	wantGrant(t, mustGet(t, s, g.ID), g)
	near := newGrantWithToken("b")
	near.ClientID, near.Subject, near.SessionID = g.ClientID+" ", g.Subject[1:], strings.ToUpper(g.SessionID)
	mustCreate(t, s, near)
	for _, sel := range []authserver.Selector{{Subject: g.Subject}, {ClientID: g.ClientID}, {SessionID: g.SessionID},
		{Subject: g.Subject, ClientID: g.ClientID}} {
		got, err := s.Grants(t.Context(), sel, epoch, 0)
		wantError(t, "Grants", err, nil)
		if len(got) != 1 {
			t.Fatalf("Grants: %d grants, want one", len(got))
		}
		wantGrant(t, got[0], g)
	}
	sel := authserver.Selector{Subject: g.Subject, SessionID: g.SessionID, Except: specialText("x")}
	n, err := s.Revoke(t.Context(), sel, "admin", later)
	if n != 1 || err != nil {
		t.Fatalf("Revoke: %d, %v", n, err)
	}
	g.RevokedAt, g.RevokeReason = later, "admin"
	wantGrant(t, mustGet(t, s, g.ID), g)
	wantGrant(t, mustGet(t, s, near.ID), near)
}

// longStrings checks strings as long as the contract allows.
func longStrings(t *testing.T, s authserver.Store) {
	const most = 1024
	g := newGrant("a")
	g.ClientID, g.Subject, g.SessionID = strings.Repeat("c", most), strings.Repeat("s", most), strings.Repeat("z", most)
	g.Nonce, g.RedirectURI = strings.Repeat("n", 60_000), "https://app.example/"+strings.Repeat("r", 8_000)
	mustCreate(t, s, g)
	wantGrant(t, mustGet(t, s, g.ID), g)
	sel := authserver.Selector{Subject: g.Subject, ClientID: g.ClientID, SessionID: g.SessionID}
	n, err := s.Revoke(t.Context(), sel, "user", epoch)
	if n != 1 || err != nil {
		t.Fatalf("Revoke: %d, %v", n, err)
	}
}
