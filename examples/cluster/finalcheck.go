package main

import (
	"context"
	"sync"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

// checkAll compares the grant of every client with its row. Then it checks at the token endpoint that only the last
// refresh token works, and that an old one, as a thief would have, ends the grant. No token of a revoked grant may
// work.
func (l *load) checkAll(ctx context.Context, store authserver.Store, clients []*client) {
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for _, c := range clients {
		check := func() { l.checkGrant(ctx, store, c) }
		switch c.ended {
		case "":
		case "revoked":
			check = func() { l.checkRevoked(ctx, c) }
		default:
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			check()
		})
	}
	wg.Wait()
}

func (l *load) checkGrant(ctx context.Context, store authserver.Store, c *client) {
	row, err := store.Grant(ctx, c.grant)
	switch {
	case err != nil:
		l.lost(ctx, c, "the grant has no row at the end")
		return
	case !row.Active(time.Now()):
		l.lost(ctx, c, "the grant has ended")
		return
	case row.Generation > c.gen:
		l.forked(c, "the row is ahead of the client at the end")
		return
	}
	if !l.refreshOnce(ctx, c) {
		return
	}
	l.results.oneTokenWorks.Add(1)
	// A token within the grace is answered with its successor. So present one that is older than the history of the
	// grant.
	for len(c.old) < oldTokens {
		if !l.refreshOnce(ctx, c) {
			return
		}
	}
	if a := l.present(ctx, c.old[0]); a.err == nil && a.rejected == "" {
		l.forked(c, "an old token still works")
		return
	}
	if a := l.present(ctx, c.token); a.err == nil && a.rejected == "" {
		l.forked(c, "the grant survived the use of an old token")
		return
	}
	l.results.reuseDetected.Add(1)
}

// refreshOnce refreshes and reports whether the client got the next generation.
func (l *load) refreshOnce(ctx context.Context, c *client) bool {
	a := l.present(ctx, c.token)
	p, err := parsePosition(a.RefreshToken)
	switch {
	case a.err != nil:
		l.results.noAnswer.Add(1)
		return false
	case a.rejected != "":
		l.lost(ctx, c, "at the end: "+a.rejected)
		return false
	case err != nil || p.Grant != c.grant || p.Generation != c.gen+1:
		l.forked(c, "its last token was not answered with its successor")
		return false
	}
	c.keep(a.RefreshToken, p)
	return true
}
