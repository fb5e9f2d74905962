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
	// chainCount is how many clients refresh while nodes are killed.
	chainCount = 16
	// chainTurns is how many successors each of them gets from one kill to the next.
	chainTurns = 3
)

// killedNodes kills one node after the other, but for one, while clients refresh throughout, each at two nodes at once. A client that got
// no answer presents the same token again. In the end every session is there, at the generation that its client has counted.
func killedNodes(ctx context.Context, t *testing.T, srv *authserver.Server, s authserver.Store, nodes []*node) {
	chains := make([]*chain, chainCount)
	for i := range chains {
		user := fmt.Sprint("user ", i, " of nodes that die")
		chains[i] = &chain{user: user, token: signIn(t, srv, user)}
	}
	left := &living{alive: slices.Clone(nodes)}
	running, stop := context.WithCancel(ctx)
	defer stop()
	gotOn := make(chan int)
	var wg sync.WaitGroup
	for i, c := range chains {
		wg.Go(func() {
			for turn := i; running.Err() == nil; turn++ {
				before := c.steps
				if c.turn(ctx, left.pair(turn)); c.err != nil {
					stop()
				}
				if c.steps == before {
					continue
				}
				select {
				case gotOn <- i:
				case <-running.Done():
				}
			}
		})
	}
	killed := killAllButOne(running, left, gotOn)
	stop()
	wg.Wait()
	unanswered, refreshes := 0, 0
	for _, c := range chains {
		if c.err != nil {
			t.Errorf("%s, after %d refreshes: %v", c.user, c.steps, c.err)
		}
		unanswered += c.unanswered
		refreshes += c.steps
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("%d nodes killed in the time there is: %v", killed, err)
	}
	if t.Failed() {
		return
	}
	if unanswered == 0 {
		t.Errorf("%d nodes were killed and no request with them", killed)
	}
	for _, c := range chains {
		c.check(ctx, t, left.pair(0), srv, s)
	}
	t.Logf("%d nodes killed, %d requests with them, while %d sessions had %d refreshes", killed, unanswered, len(chains), refreshes)
}

// killAllButOne kills a node while it is at work, and the next one when all clients have got on.
func killAllButOne(ctx context.Context, nodes *living, gotOn <-chan int) (killed int) {
	for victim := nodes.first(); victim != nil; victim = nodes.first() {
		var steps [chainCount]int
		for slices.Min(steps[:]) < chainTurns || victim.busy.Load() == 0 {
			select {
			case i := <-gotOn:
				steps[i]++
			case <-ctx.Done():
				return killed
			}
		}
		nodes.remove(victim) // whoever asks it from now on is late
		victim.kill()
		killed++
	}
	return killed
}

// living is the nodes that have not been killed.
type living struct {
	mu    sync.Mutex
	alive []*node
}

// pair returns two nodes, or the last one twice.
func (l *living) pair(turn int) [2]*node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return [2]*node{l.alive[turn%len(l.alive)], l.alive[(turn+1)%len(l.alive)]}
}

// first returns the node that is to go next; nil: none.
func (l *living) first() *node {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.alive) == 1 {
		return nil
	}
	return l.alive[0]
}

func (l *living) remove(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive = slices.DeleteFunc(l.alive, func(other *node) bool { return other == n })
}

// chain is a client with its session.
type chain struct {
	user       string
	former     string // the token before, once there was one
	token      string // the last that it got
	steps      int    // how many it got
	unanswered int
	err        error
}

// turn presents the token to two nodes at once, and goes on with what they say. That the two tokens are the same is what tells that the session is
// not forked: whoever holds another one could go on with it.
func (c *chain) turn(ctx context.Context, nodes [2]*node) {
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
			c.err = fmt.Errorf("a node that lives gave no answer: %w", problems[i])
		case a.Status != http.StatusOK || a.RefreshToken == "" || a.RefreshToken == c.token:
			c.err = fmt.Errorf("%d %q, new token %v, want 200 and a new one", a.Status, a.Error, a.RefreshToken != "" && a.RefreshToken != c.token)
		case next != "" && a.RefreshToken != next:
			c.err = errors.New("two answers have two successors to one token")
		default:
			next = a.RefreshToken
		}
	}
	if next != "" && c.err == nil {
		c.former, c.token = c.token, next
		c.steps++
	}
}

// check is done when nothing else goes on. A last turn leaves behind what a node that died may have left undone: its steps were from generations
// that are over. Then the row has to be where the client is, with one rotation and one replay; and the token before leads to the same successor.
func (c *chain) check(ctx context.Context, t *testing.T, nodes [2]*node, srv *authserver.Server, s authserver.Store) {
	t.Helper()
	c.turn(ctx, nodes)
	if c.err != nil {
		t.Errorf("%s, at last: %v", c.user, c.err)
		return
	}
	counted := func(when string, replays int) {
		if g := session(t, s, c.user); int(g.Generation) != c.steps+1 || g.Replays != replays {
			t.Errorf("%s, %s: generation %d with %d replays, want %d with %d", c.user, when, g.Generation, g.Replays, c.steps+1, replays)
		}
	}
	counted("at last", 1)
	if a := submit(srv, c.former); a.Status != http.StatusOK || a.RefreshToken != c.token {
		t.Errorf("%s, the token before the last: %d %q, the last one %v", c.user, a.Status, a.Error, a.RefreshToken == c.token)
	}
	counted("after the token before the last", 2)
}
