package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// end is when access tokens expire in these tests.
var end = epoch.Add(10 * time.Minute)

// newGrantWithToken returns a grant with an access token that is valid until end.
func newGrantWithToken(id string) authserver.Grant {
	g := newGrant(id)
	g.AccessExpiresAt = end
	return g
}

// listRevoked calls Revoked.
func listRevoked(
	t *testing.T, s authserver.Store, since time.Time, after string, now time.Time, limit int,
) []authserver.Revocation {
	t.Helper()
	list, err := s.Revoked(t.Context(), since, after, now, limit)
	if err != nil {
		t.Fatalf("Revoked: %v", err)
	}
	return list
}

func revocation(g authserver.Grant, at time.Time) authserver.Revocation {
	return authserver.Revocation{ID: g.ID, At: at, AccessExpiresAt: g.AccessExpiresAt}
}

func wantRevocations(t *testing.T, what string, got, want []authserver.Revocation) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got %v\nwant %v", what, got, want)
	}
}

func revokeOne(t *testing.T, s authserver.Store, id string, at time.Time) {
	t.Helper()
	if _, err := s.Revoke(t.Context(), authserver.Selector{ID: id}, "user", at); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
}

// revokedPositions checks order and boundaries. The IDs sort differently by bytes than by other orders, and three of
// them have the same time.
func revokedPositions(t *testing.T, s authserver.Store) {
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	var want []authserver.Revocation
	for _, r := range []struct {
		id string
		at time.Time
	}{{"m", at(0)}, {"B", at(1)}, {"_", at(1)}, {"a", at(1)}, {"A", at(2)}, {"z", at(1500)}} {
		want = append(want, revocation(newGrantWithToken(r.id), r.at))
	}
	for _, i := range []int{3, 5, 0, 2, 4, 1} { // in an order as from several nodes
		mustCreate(t, s, newGrantWithToken([]string{"m", "B", "_", "a", "A", "z"}[i]))
		revokeOne(t, s, want[i].ID, want[i].At)
	}
	for _, test := range []struct {
		name  string
		since time.Time
		after string
		limit int
		want  []authserver.Revocation
	}{
		{"all", time.Time{}, "", 0, want},
		{"up to a limit", time.Time{}, "", 2, want[:2]},
		{"a limit that is not reached", time.Time{}, "", 7, want},
		{"from a time, inclusive", at(1), "", 0, want[1:]},
		{"from just before a time", at(0), "~", 0, want[1:]},
		{"after one of several at the same time", at(1), want[1].ID, 0, want[2:]},
		{"after one of several at the same time, up to a limit", at(1), want[1].ID, 1, want[2:3]},
		{"after the last of several at the same time", at(1), want[3].ID, 0, want[4:]},
		{"after an ID that does not exist", at(1), want[1].ID + "0", 0, want[2:]},
		{"from the last", at(1500), "", 0, want[5:]},
		{"after the last", at(1500), want[5].ID, 0, nil},
		{"from later", at(1501), "", 0, nil},
	} {
		wantRevocations(t, test.name, listRevoked(t, s, test.since, test.after, later, test.limit), test.want)
	}
}

// revokedList checks which grants are listed.
func revokedList(t *testing.T, s authserver.Store) {
	mustCreate(t, s, newGrantWithToken("alive"))
	listed := mustCreate(t, s, newGrantWithToken("a"))
	short, never := newGrantWithToken("short"), newGrant("no access token")
	short.AccessExpiresAt = later
	expired := newGrantWithToken("expired")
	expired.IdleExpiresAt, expired.ExpiresAt = epoch.Add(time.Millisecond), epoch.Add(time.Millisecond)
	restored := newGrantWithToken("restored")
	restored.RevokedAt, restored.RevokeReason = epoch.Add(time.Millisecond), "user"
	for _, g := range []authserver.Grant{short, never, expired, restored} {
		mustCreate(t, s, g)
	}
	refreshed := mustCreate(t, s, newGrant("refreshed"))
	step := authserver.Step{ID: refreshed.ID, From: 1, To: 2, Now: epoch, AccessExpiresAt: end.Add(time.Second)}
	wantError(t, "Advance", s.Advance(t.Context(), step), nil)
	refreshed.AccessExpiresAt = step.AccessExpiresAt
	if list := listRevoked(t, s, time.Time{}, "", epoch, 0); len(list) != 1 {
		t.Fatalf("before Revoke: %v, want the one that was created revoked", list)
	}
	for i, g := range []authserver.Grant{listed, short, never, expired, refreshed} {
		revokeOne(t, s, g.ID, epoch.Add(time.Duration(i+2)*time.Second))
	}
	want := []authserver.Revocation{revocation(restored, restored.RevokedAt), revocation(listed, epoch.Add(2*time.Second)),
		revocation(short, epoch.Add(3*time.Second)), revocation(expired, epoch.Add(5*time.Second)),
		revocation(refreshed, epoch.Add(6*time.Second))}
	expectRow := func(now time.Time, want ...authserver.Revocation) {
		t.Helper()
		wantRevocations(t, fmt.Sprint("at ", now), listRevoked(t, s, time.Time{}, "", now, 0), want)
	}
	expectRow(later.Add(-time.Millisecond), want...)
	expectRow(later, want[0], want[1], want[3], want[4])
	wantRevocations(t, "the limit counts listed entries", listRevoked(t, s, want[1].At, "", later, 2),
		[]authserver.Revocation{want[1], want[3]})
	expectRow(end.Add(-time.Millisecond), want[0], want[1], want[3], want[4])
	expectRow(end, want[4])
	expectRow(end.Add(time.Second))
}

// revokedTwice checks that a grant keeps the time of its first revocation, in the list too.
func revokedTwice(t *testing.T, s authserver.Store) {
	g := mustCreate(t, s, newGrantWithToken("a"))
	first := epoch.Add(time.Second)
	revokeOne(t, s, g.ID, first)
	for _, at := range []time.Time{later, epoch} {
		revokeOne(t, s, g.ID, at)
		step := authserver.Step{ID: g.ID, From: 1, To: 2, Now: epoch, AccessExpiresAt: end.Add(time.Hour)}
		wantError(t, "Advance", s.Advance(t.Context(), step), authserver.ErrConflict)
		wantRevocations(t, "revoked again", listRevoked(t, s, time.Time{}, "", later, 0),
			[]authserver.Revocation{revocation(g, first)})
	}
	wantRevocations(t, "from the second time", listRevoked(t, s, first.Add(time.Millisecond), "", later, 0), nil)
	n := runConcurrently(t, func(i int) error { // concurrently, with different times
		_, err := s.Revoke(t.Context(), authserver.Selector{ID: g.ID}, "user", epoch.Add(time.Duration(i)*time.Second))
		return err
	})
	if n != concurrency {
		t.Fatalf("%d of %d had no error", n, concurrency)
	}
	b := mustCreate(t, s, newGrantWithToken("b"))
	runConcurrently(t, func(i int) error {
		_, err := s.Revoke(t.Context(), authserver.Selector{ID: b.ID}, "user", epoch.Add(time.Duration(i+2)*time.Second))
		return err
	})
	wantRevocations(t, "concurrent revocations", listRevoked(t, s, time.Time{}, "", later, 0),
		[]authserver.Revocation{revocation(g, first), revocation(b, mustGet(t, s, b.ID).RevokedAt)})
}

// revokedBySelector checks each kind of selector.
func revokedBySelector(t *testing.T, s authserver.Store) {
	var want []authserver.Revocation
	for i, sel := range []authserver.Selector{
		{ID: newGrant("0").ID}, {Subject: "subject 1"}, {ClientID: "client 2"}, {SessionID: "session 3"},
		{Subject: "subject 4", ClientID: "client 4"},
		{Subject: "subject 5", Except: newGrant("other").ID},
	} {
		g := newGrantWithToken(fmt.Sprint(i))
		g.Subject, g.ClientID, g.SessionID = fmt.Sprint("subject ", i), fmt.Sprint("client ", i), fmt.Sprint("session ", i)
		mustCreate(t, s, g)
		at := epoch.Add(time.Duration(i) * time.Second)
		if n, err := s.Revoke(t.Context(), sel, "user", at); n != 1 || err != nil {
			t.Fatalf("Revoke %+v: %d, %v", sel, n, err)
		}
		want = append(want, revocation(g, at))
		wantRevocations(t, fmt.Sprintf("after %+v", sel), listRevoked(t, s, time.Time{}, "", epoch, 0), want)
	}
}

// revokedPages checks that pages of every size list each grant once, although most have the same time, also after a
// Sweep.
func revokedPages(t *testing.T, s authserver.Store) {
	const n = 60
	var want []authserver.Revocation
	for i := range n {
		g := newGrantWithToken(fmt.Sprintf("%02d", i*7%n))
		g.Subject = fmt.Sprint(i % 3)
		if i%3 == 2 {
			g.IdleExpiresAt, g.AccessExpiresAt = epoch.Add(time.Millisecond), later
		}
		mustCreate(t, s, g)
		want = append(want, revocation(g, epoch.Add(time.Duration(i%3)*time.Millisecond)))
	}
	for i := range 3 {
		_, err := s.Revoke(t.Context(), authserver.Selector{Subject: fmt.Sprint(i)}, "admin",
			epoch.Add(time.Duration(i)*time.Millisecond))
		wantError(t, "Revoke", err, nil)
	}
	slices.SortFunc(want, func(a, b authserver.Revocation) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	for _, size := range []int{1, 7, 20, n, n + 1} {
		wantRevocations(t, fmt.Sprint("pages of ", size), readPages(t, s, time.Time{}, epoch, size), want)
	}
	for swept := 1; swept > 0; {
		var err error
		swept, err = s.Sweep(t.Context(), later, 7)
		wantError(t, "Sweep", err, nil)
		wantRevocations(t, "between sweeps", readPages(t, s, time.Time{}, later, 9), want[:2*n/3])
	}
}

// readPages reads all pages from a time on.
func readPages(
	t *testing.T, s authserver.Store, since time.Time, now time.Time, size int,
) (all []authserver.Revocation) {
	t.Helper()
	for after := ""; ; {
		page := listRevoked(t, s, since, after, now, size)
		all = append(all, page...)
		if len(page) < size {
			return all
		}
		since, after = page[size-1].At, page[size-1].ID
	}
}

// revokedWhilePolling polls while others revoke with clocks that differ by up to 5 seconds. Each poll begins 5 seconds
// before the start of the last one. So it must see every revocation, whenever that became visible.
func revokedWhilePolling(t *testing.T, s authserver.Store) {
	const writers, rounds = 4, 25
	const late = 5 * time.Second // the maximum difference of the clocks
	for i := range writers * rounds {
		mustCreate(t, s, newGrantWithToken(fmt.Sprintf("%03d", i)))
	}
	var round atomic.Int64
	clock := func() time.Time { return epoch.Add(time.Duration(round.Load()) * time.Second) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range rounds { // no revocation takes longer than a round
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					sel := authserver.Selector{ID: newGrant(fmt.Sprintf("%03d", int(round.Load())*writers+w)).ID}
					if _, err := s.Revoke(t.Context(), sel, "user", clock().Add(-late*time.Duration(w)/writers)); err != nil {
						t.Error("Revoke: ", err)
					}
				})
			}
			wg.Wait()
			round.Add(1)
		}
	}()
	defer func() { <-done }()
	known := map[string]bool{}
	since := time.Time{}
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		began := clock()
		for _, r := range readPages(t, s, since, epoch, 7) {
			known[r.ID] = true
		}
		since = began.Add(-late)
	}
	if len(known) != writers*rounds {
		t.Fatalf("the poller knows %d of %d", len(known), writers*rounds)
	}
}
