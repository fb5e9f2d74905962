package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bearergate/bearergate/authserver"
)

// odd is text that something on the way may take for more than text: quotes and escapes of SQL, JSON and Lua, patterns, separators, control
// characters, the ends of what UTF-8 can say. It has everything but U+0000.
func odd(name string) string {
	var b strings.Builder
	for c := range rune(0xa0) {
		if c != 0 {
			b.WriteRune(c)
		}
	}
	b.WriteString(`\u0000 \x00 %00 %s {} {1,2} NULL '; -- $1 \' "" [[ ]] *? ` + "\u2028\ufeff\ufffd\uffff\U0010ffff\u202e e\u0301 ")
	return name + b.String() + name
}

// oddStrings: every string comes back as it went in, and what is alike but not the same is another one.
func oddStrings(t *testing.T, s authserver.Store) {
	g := issued("a")
	g.ClientID, g.Subject, g.SessionID = odd("client"), odd("subject"), odd("session")
	g.RedirectURI, g.Challenge, g.ACR = odd("redirect"), odd("challenge"), odd("acr")
	g.Scopes, g.Resources, g.AMR = []string{odd("scope"), ""}, []string{"", odd("resource")}, []string{odd("amr"), "a,b", "{", `"`}
	g.Salt = make([]byte, 256)
	for i := range g.Salt {
		g.Salt[i] = byte(i)
	}
	g.Nonce = "\x00" + odd("nonce") + "\x00"
	create(t, s, g)
	same(t, read(t, s, g.ID), g)
	near := issued("b")
	near.ClientID, near.Subject, near.SessionID = g.ClientID+" ", g.Subject[1:], strings.ToUpper(g.SessionID)
	create(t, s, near)
	for _, sel := range []authserver.Selector{{Subject: g.Subject}, {ClientID: g.ClientID}, {SessionID: g.SessionID}, {Subject: g.Subject, ClientID: g.ClientID}} {
		got, err := s.Grants(t.Context(), sel, epoch, 0)
		expect(t, "Grants", err, nil)
		if len(got) != 1 {
			t.Fatalf("Grants: %d rows, want one", len(got))
		}
		same(t, got[0], g)
	}
	n, err := s.Revoke(t.Context(), authserver.Selector{Subject: g.Subject, SessionID: g.SessionID, Except: odd("x")}, "admin", later)
	if n != 1 || err != nil {
		t.Fatalf("Revoke: %d, %v", n, err)
	}
	g.RevokedAt, g.RevokeReason = later, "admin"
	same(t, read(t, s, g.ID), g)
	same(t, read(t, s, near.ID), near)
}

// longStrings: as long as the contract says.
func longStrings(t *testing.T, s authserver.Store) {
	const most = 1024
	g := row("a")
	g.ClientID, g.Subject, g.SessionID = strings.Repeat("c", most), strings.Repeat("s", most), strings.Repeat("z", most)
	g.Nonce, g.RedirectURI = strings.Repeat("n", 60_000), "https://app.example/"+strings.Repeat("r", 8_000)
	create(t, s, g)
	same(t, read(t, s, g.ID), g)
	n, err := s.Revoke(t.Context(), authserver.Selector{Subject: g.Subject, ClientID: g.ClientID, SessionID: g.SessionID}, "user", epoch)
	if n != 1 || err != nil {
		t.Fatalf("Revoke: %d, %v", n, err)
	}
}

// reasons: as long as it may be, and longer.
func reasons(t *testing.T, s authserver.Store) {
	g := create(t, s, issued("a"))
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: g.ID}, strings.Repeat("x", authserver.ReasonLength+1), epoch); n != 0 || err == nil {
		t.Fatalf("Revoke for a reason that is too long: %d, %v, want an error", n, err)
	}
	same(t, read(t, s, g.ID), g)
	sameList(t, "after it", revoked(t, s, time.Time{}, "", epoch, 0), nil)
	g.RevokedAt, g.RevokeReason = epoch, strings.Repeat("ü", authserver.ReasonLength/utf8.RuneLen('ü'))
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: g.ID}, g.RevokeReason, epoch); n != 1 || err != nil {
		t.Fatalf("Revoke: %d, %v", n, err)
	}
	same(t, read(t, s, g.ID), g)
	bare := create(t, s, row("b"))
	bare.RevokedAt = epoch
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: bare.ID}, "", epoch); n != 1 || err != nil {
		t.Fatalf("Revoke without a reason: %d, %v", n, err)
	}
	same(t, read(t, s, bare.ID), bare)
}

// oddKeys: keys to remember may be long, empty, and anything.
func oddKeys(t *testing.T, s authserver.Store) {
	until := epoch.Add(time.Minute)
	long := strings.Repeat("x", 100_000)
	keys := []string{"", "\x00", odd("key"), "\xff\xfe", long, long + "x", long[:32_768], long[:300], long[:255]}
	for i, key := range keys {
		expect(t, fmt.Sprint("first use of key ", i), s.Once(t.Context(), key, epoch, until), nil)
	}
	for i, key := range keys {
		expect(t, fmt.Sprint("second use of key ", i), s.Once(t.Context(), key, epoch, until), authserver.ErrConflict)
	}
	total := 0
	for n := 1; n > 0; total += n {
		var err error
		n, err = s.Sweep(t.Context(), until, 4)
		expect(t, "Sweep", err, nil)
	}
	if total != len(keys) {
		t.Fatalf("Sweep deleted %d keys of %d", total, len(keys))
	}
	expect(t, "once more", s.Once(t.Context(), long, until, until.Add(time.Minute)), nil)
}

// sweepOfRefreshed: a row that was given a longer life is not deleted when the first one ends, and one that was swept is gone for Advance.
func sweepOfRefreshed(t *testing.T, s authserver.Store) {
	swept, refreshed, revokedOne := create(t, s, row("swept")), create(t, s, row("refreshed")), create(t, s, row("revoked"))
	first := epoch.Add(time.Minute) // the idle end of all three
	step := authserver.Step{ID: refreshed.ID, From: 1, To: 2, Now: epoch, IdleExpiresAt: epoch.Add(30 * time.Minute)}
	expect(t, "Advance", s.Advance(t.Context(), step), nil)
	step.ID = revokedOne.ID
	expect(t, "Advance", s.Advance(t.Context(), step), nil)
	sweepAt := func(now time.Time, want int) {
		t.Helper()
		total := 0
		for range 5 {
			n, err := s.Sweep(t.Context(), now, 10)
			expect(t, "Sweep", err, nil)
			total += n
		}
		if total != want {
			t.Fatalf("Sweep at %v deleted %d, want %d", now, total, want)
		}
	}
	sweepAt(first, 1)
	step = authserver.Step{ID: swept.ID, From: 1, To: 2, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)}
	expect(t, "Advance of a swept row", s.Advance(t.Context(), step), authserver.ErrNotFound)
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: swept.ID}, "user", epoch); n != 0 || err != nil {
		t.Fatalf("Revoke of a swept row: %d, %v", n, err)
	}
	_, err := s.Grant(t.Context(), swept.ID)
	expect(t, "Grant of a swept row", err, authserver.ErrNotFound)
	for _, id := range []string{refreshed.ID, revokedOne.ID} {
		if g := read(t, s, id); g.Generation != 2 {
			t.Fatalf("generation %d, want 2", g.Generation)
		}
	}
	revokeOne(t, s, revokedOne.ID, first)
	sweepAt(first, 1)
	sweepAt(epoch.Add(30*time.Minute-time.Millisecond), 0)
	sweepAt(epoch.Add(30*time.Minute), 1)
	create(t, s, swept)
}

// sweepAgainstAdvance: rows whose time has come are refreshed, by one whose clock is behind, while they are swept. Each is either deleted
// or refreshed, and then it stays.
func sweepAgainstAdvance(t *testing.T, s authserver.Store) {
	const rows, sweepers = 60, 3
	end := epoch.Add(time.Minute)
	for i := range rows {
		create(t, s, issuedUntil(fmt.Sprintf("%02d", i), end))
	}
	var swept, refreshed atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range sweepers {
		wg.Go(func() {
			<-start
			for range rows / sweepers {
				n, err := s.Sweep(t.Context(), end, 2)
				if err != nil {
					t.Error("Sweep: ", err)
				}
				swept.Add(int64(n))
			}
		})
	}
	alive := make([]bool, rows)
	for w := range 2 {
		wg.Go(func() {
			<-start
			for i := rows - 1 - w; i >= 0; i -= 2 { // from the other end: some before they are swept, some after
				err := s.Advance(t.Context(), authserver.Step{ID: row(fmt.Sprintf("%02d", i)).ID, From: 1, To: 2, Now: epoch,
					IdleExpiresAt: end.Add(time.Minute), AccessExpiresAt: end.Add(time.Second)})
				switch {
				case err == nil:
					alive[i] = true
					refreshed.Add(1)
				case !errors.Is(err, authserver.ErrNotFound):
					t.Error("Advance: ", err)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	for n := 1; n > 0; { // what is left of those whose time has come
		var err error
		n, err = s.Sweep(t.Context(), end, 10)
		expect(t, "Sweep", err, nil)
		swept.Add(int64(n))
	}
	if swept.Load()+refreshed.Load() != rows {
		t.Fatalf("%d rows were deleted and %d refreshed, of %d", swept.Load(), refreshed.Load(), rows)
	}
	for i := range rows {
		_, err := s.Grant(t.Context(), row(fmt.Sprintf("%02d", i)).ID)
		want := authserver.ErrNotFound
		if alive[i] {
			want = nil
		}
		expect(t, fmt.Sprintf("Grant of row %d, refreshed: %v", i, alive[i]), err, want)
	}
}

func issuedUntil(id string, end time.Time) authserver.Grant {
	g := row(id)
	g.AccessExpiresAt = end
	return g
}
