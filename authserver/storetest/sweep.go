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

func sweep(t *testing.T, s authserver.Store) {
	keep := map[string]authserver.Grant{}
	for i := range 5 { // expired, and nothing needs them
		g := newGrant(fmt.Sprint("old", i))
		g.IdleExpiresAt = epoch.Add(time.Second)
		mustCreate(t, s, g)
	}
	alive := newGrant("alive")
	inUse := newGrant("in use") // revoked, but an access token is still valid
	inUse.RevokedAt, inUse.AccessExpiresAt = epoch, later.Add(time.Second)
	for _, g := range []authserver.Grant{alive, inUse} {
		keep[g.ID] = mustCreate(t, s, g)
	}
	wantError(t, "Once", s.Once(t.Context(), "old key", epoch, epoch.Add(time.Second)), nil)
	wantError(t, "Once", s.Once(t.Context(), "key", epoch, later.Add(time.Second)), nil)

	total := 0
	for range 20 {
		n, err := s.Sweep(t.Context(), later, 2)
		wantError(t, "Sweep", err, nil)
		if n > 2 {
			t.Fatalf("Sweep deleted %d, the limit was 2", n)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total != 6 {
		t.Fatalf("Sweep deleted %d, want 5 grants and 1 key", total)
	}
	for _, g := range keep {
		wantGrant(t, mustGet(t, s, g.ID), g)
	}
	for i := range 5 {
		_, err := s.Grant(t.Context(), newGrant(fmt.Sprint("old", i)).ID)
		wantError(t, "Grant of a swept grant", err, authserver.ErrNotFound)
	}
	wantError(t, "Once of a kept key", s.Once(t.Context(), "key", later, later.Add(time.Hour)), authserver.ErrConflict)
	got, err := s.Grants(t.Context(), authserver.Selector{Subject: "user"}, epoch, 0)
	if err != nil || slices.ContainsFunc(got, func(g authserver.Grant) bool { return g.ID != alive.ID }) {
		t.Fatalf("Grants finds swept grants: %d, %v", len(got), err)
	}
}

// sweepSkipsExtended checks that Sweep keeps a grant whose end was moved, and that Advance does not bring back a swept
// one.
func sweepSkipsExtended(t *testing.T, s authserver.Store) {
	swept, refreshed := mustCreate(t, s, newGrant("swept")), mustCreate(t, s, newGrant("refreshed"))
	revokedOne := mustCreate(t, s, newGrant("revoked"))
	first := epoch.Add(time.Minute) // the idle end of all three
	step := authserver.Step{ID: refreshed.ID, From: 1, To: 2, Now: epoch, IdleExpiresAt: epoch.Add(30 * time.Minute)}
	wantError(t, "Advance", s.Advance(t.Context(), step), nil)
	step.ID = revokedOne.ID
	wantError(t, "Advance", s.Advance(t.Context(), step), nil)
	sweepAt := func(now time.Time, want int) {
		t.Helper()
		total := 0
		for range 5 {
			n, err := s.Sweep(t.Context(), now, 10)
			wantError(t, "Sweep", err, nil)
			total += n
		}
		if total != want {
			t.Fatalf("Sweep at %v deleted %d, want %d", now, total, want)
		}
	}
	sweepAt(first, 1)
	step = authserver.Step{ID: swept.ID, From: 1, To: 2, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour)}
	wantError(t, "Advance of a swept grant", s.Advance(t.Context(), step), authserver.ErrNotFound)
	if n, err := s.Revoke(t.Context(), authserver.Selector{ID: swept.ID}, "user", epoch); n != 0 || err != nil {
		t.Fatalf("Revoke of a swept grant: %d, %v", n, err)
	}
	_, err := s.Grant(t.Context(), swept.ID)
	wantError(t, "Grant of a swept grant", err, authserver.ErrNotFound)
	for _, id := range []string{refreshed.ID, revokedOne.ID} {
		if g := mustGet(t, s, id); g.Generation != 2 {
			t.Fatalf("generation %d, want 2", g.Generation)
		}
	}
	revokeOne(t, s, revokedOne.ID, first)
	sweepAt(first, 1)
	sweepAt(epoch.Add(30*time.Minute-time.Millisecond), 0)
	sweepAt(epoch.Add(30*time.Minute), 1)
	mustCreate(t, s, swept)
}

// sweepDuringAdvance refreshes expired grants, by a clock that is behind, while Sweep runs. Each grant is either
// deleted, or refreshed and then kept.
func sweepDuringAdvance(t *testing.T, s authserver.Store) {
	const rows, sweepers = 60, 3
	end := epoch.Add(time.Minute)
	for i := range rows {
		mustCreate(t, s, newGrantWithTokenUntil(fmt.Sprintf("%02d", i), end))
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
			for i := rows - 1 - w; i >= 0; i -= 2 { // in reverse, so that some are swept first and some refreshed first
				err := s.Advance(t.Context(), authserver.Step{ID: newGrant(fmt.Sprintf("%02d", i)).ID, From: 1, To: 2, Now: epoch,
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
	for n := 1; n > 0; { // the remaining expired ones
		var err error
		n, err = s.Sweep(t.Context(), end, 10)
		wantError(t, "Sweep", err, nil)
		swept.Add(int64(n))
	}
	if swept.Load()+refreshed.Load() != rows {
		t.Fatalf("%d grants were deleted and %d refreshed, of %d", swept.Load(), refreshed.Load(), rows)
	}
	for i := range rows {
		_, err := s.Grant(t.Context(), newGrant(fmt.Sprintf("%02d", i)).ID)
		want := authserver.ErrNotFound
		if alive[i] {
			want = nil
		}
		wantError(t, fmt.Sprintf("Grant %d, refreshed: %v", i, alive[i]), err, want)
	}
}

func newGrantWithTokenUntil(id string, end time.Time) authserver.Grant {
	g := newGrant(id)
	g.AccessExpiresAt = end
	return g
}
