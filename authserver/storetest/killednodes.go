package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/bearergate/bearergate/authserver"
)

const (
	// clientCount is how many clients refresh while nodes are killed.
	clientCount = 16
	// rotationsPerKill is how many new tokens each client gets between two kills.
	rotationsPerKill = 3
)

// killNodes kills all nodes but one, one after the other, while every client refreshes at two nodes at once. A client
// that got no answer presents the same token again. In the end every grant must exist, at the generation that its
// client has counted.
func killNodes(ctx context.Context, t *testing.T, srv *authserver.Server, s authserver.Store, nodes []*node) {
	clients := make([]*refresher, clientCount)
	for i := range clients {
		user := fmt.Sprint("user ", i, " of nodes that die")
		clients[i] = &refresher{user: user, token: issueRefreshToken(t, srv, user)}
	}
	live := &liveNodes{alive: slices.Clone(nodes)}
	running, stop := context.WithCancel(ctx)
	defer stop()
	progress := make(chan int)
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			for round := i; running.Err() == nil; round++ {
				before := c.rotations
				if c.refresh(ctx, live.pair(round)); c.err != nil {
					stop()
				}
				if c.rotations == before {
					continue
				}
				select {
				case progress <- i:
				case <-running.Done():
				}
			}
		})
	}
	killed := killAllButOne(running, live, progress)
	stop()
	wg.Wait()
	unanswered, refreshes := 0, 0
	for _, c := range clients {
		if c.err != nil {
			t.Errorf("%s, after %d refreshes: %v", c.user, c.rotations, c.err)
		}
		unanswered += c.unanswered
		refreshes += c.rotations
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("only %d nodes were killed in time: %v", killed, err)
	}
	if t.Failed() {
		return
	}
	if unanswered == 0 {
		t.Errorf("%d nodes were killed, but no request was interrupted", killed)
	}
	for _, c := range clients {
		c.check(ctx, t, live.pair(0), srv, s)
	}
	t.Logf("%d nodes killed, %d requests interrupted, %d grants refreshed %d times",
		killed, unanswered, len(clients), refreshes)
}

// killAllButOne kills a node while it serves requests, and the next one after all clients have made progress.
func killAllButOne(ctx context.Context, nodes *liveNodes, progress <-chan int) (killed int) {
	for victim := nodes.next(); victim != nil; victim = nodes.next() {
		var rotations [clientCount]int
		for slices.Min(rotations[:]) < rotationsPerKill || victim.busy.Load() == 0 {
			select {
			case i := <-progress:
				rotations[i]++
			case <-ctx.Done():
				return killed
			}
		}
		nodes.remove(victim) // no request chooses it from now on
		victim.kill()
		killed++
	}
	return killed
}

// liveNodes are the nodes that have not been killed.
type liveNodes struct {
	mu    sync.Mutex
	alive []*node
}

// pair returns two nodes, or the last one twice.
func (l *liveNodes) pair(round int) [2]*node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return [2]*node{l.alive[round%len(l.alive)], l.alive[(round+1)%len(l.alive)]}
}

// next returns the node to kill next, or nil if only one is live.
func (l *liveNodes) next() *node {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.alive) == 1 {
		return nil
	}
	return l.alive[0]
}

func (l *liveNodes) remove(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive = slices.DeleteFunc(l.alive, func(other *node) bool { return other == n })
}

// refresher is a client with one grant.
type refresher struct {
	user       string
	previous   string // the token before it, if any
	token      string // the last token that it got
	rotations  int    // how many rotations it saw
	unanswered int
	err        error
}

// refresh presents the token at two nodes at once and keeps the new one. Both answers must have the same token:
// otherwise the grant is forked, and each holder could go on with his own.
func (c *refresher) refresh(ctx context.Context, nodes [2]*node) {
	var answers [2]answer
	var problems [2]error
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { answers[i], problems[i] = n.refresh(ctx, c.token) })
	}
	wg.Wait()
	next := ""
	for i, a := range answers {
		switch {
		case problems[i] != nil && nodes[i].killed.Load():
			c.unanswered++
		case problems[i] != nil:
			c.err = fmt.Errorf("a running node gave no answer: %w", problems[i])
		case a.Status != http.StatusOK || a.RefreshToken == "" || a.RefreshToken == c.token:
			c.err = fmt.Errorf("%d %q, new token %v, want 200 and a new one", a.Status, a.Error,
				a.RefreshToken != "" && a.RefreshToken != c.token)
		case next != "" && a.RefreshToken != next:
			c.err = errors.New("two answers to one token have different new tokens")
		default:
			next = a.RefreshToken
		}
	}
	if next != "" && c.err == nil {
		c.previous, c.token = c.token, next
		c.rotations++
	}
}

// check runs when all other requests have ended. A last refresh makes the steps of killed nodes obsolete, since these
// were from earlier generations. Then the grant must be at the client's generation, with one replay, and the previous
// token must lead to the same new one.
func (c *refresher) check(
	ctx context.Context, t *testing.T, nodes [2]*node, srv *authserver.Server, s authserver.Store,
) {
	t.Helper()
	c.refresh(ctx, nodes)
	if c.err != nil {
		t.Errorf("%s, at the end: %v", c.user, c.err)
		return
	}
	wantGeneration := func(when string, replays int) {
		if g := onlyGrant(t, s, c.user); int(g.Generation) != c.rotations+1 || g.Replays != replays {
			t.Errorf("%s, %s: generation %d with %d replays, want %d with %d", c.user, when, g.Generation, g.Replays,
				c.rotations+1, replays)
		}
	}
	wantGeneration("at the end", 1)
	if a := refresh(srv, c.previous); a.Status != http.StatusOK || a.RefreshToken != c.token {
		t.Errorf("%s, the previous token: %d %q, same new token %v", c.user, a.Status, a.Error, a.RefreshToken == c.token)
	}
	wantGeneration("after the previous token", 2)
}
