package main

import (
	"context"
	"sync"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// checkAtEnd compares every session that goes on with its row, and then finds out by the token endpoint that exactly one of the refresh
// tokens which the session ever had works: the last. Of a session that was revoked none may work. It ends the sessions: a token that was replaced long ago is what a thief has.
func (l *load) checkAtEnd(ctx context.Context, store authserver.Store, sessions []*session) {
	turn := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for _, s := range sessions {
		check := func() { l.checkSession(ctx, store, s) }
		switch s.ended {
		case "":
		case "revoked":
			check = func() { l.checkRevoked(ctx, s) }
		default:
			continue
		}
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			check()
		})
	}
	wg.Wait()
}

func (l *load) checkSession(ctx context.Context, store authserver.Store, s *session) {
	row, err := store.Grant(ctx, s.grant)
	switch {
	case err != nil:
		l.lost(ctx, s, "no row at the end")
		return
	case !row.Active(time.Now()):
		l.lost(ctx, s, "its row is over")
		return
	case row.Generation > s.gen:
		l.forked(s, "the row is ahead of the client at the end")
		return
	}
	if !l.goOn(ctx, s) {
		return
	}
	l.tally.onlyOne.Add(1)
	// Of a token within the grace the answer is the successor once more, so this takes one that is older than all the row remembers.
	for len(s.old) < olds {
		if !l.goOn(ctx, s) {
			return
		}
	}
	if a := l.insist(ctx, s.old[0]); a.err == nil && a.refused == "" {
		l.forked(s, "a token that was replaced long ago still works")
		return
	}
	if a := l.insist(ctx, s.token); a.err == nil && a.refused == "" {
		l.forked(s, "the session has outlived the use of a token that was replaced long ago")
		return
	}
	l.tally.thieves.Add(1)
}

// goOn refreshes once and reports whether the session goes on with the next generation.
func (l *load) goOn(ctx context.Context, s *session) bool {
	a := l.insist(ctx, s.token)
	p, err := placeOf(a.RefreshToken)
	switch {
	case a.err != nil:
		l.tally.stuck.Add(1)
		return false
	case a.refused != "":
		l.lost(ctx, s, "at the end: "+a.refused)
		return false
	case err != nil || p.Grant != s.grant || p.Generation != s.gen+1:
		l.forked(s, "its last token was answered with another than its successor")
		return false
	}
	s.keep(a.RefreshToken, p)
	return true
}
