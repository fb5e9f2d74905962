package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/examples/internal/program"
)

// main runs the program.
func (o *options) main(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
	t, err := o.run(ctx, stdout, logger)
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	if !t.ok(o.mayLose()) {
		return errVerdict
	}
	return nil
}

// cluster is everything that runs.
type cluster struct {
	*options
	out    io.Writer
	dir    string // temporary
	tally  *tally
	front  *front
	db     databaseConfig
	keeper *process // of db; nil: the server was there before
	node   nodeConfig

	mu    sync.Mutex
	nodes []*process
	apis  []*process
}

// run does it all and returns what was counted.
func (o *options) run(ctx context.Context, stdout io.Writer, logger *slog.Logger) (t *tally, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &cluster{options: o, out: stdout, nodes: make([]*process, o.Nodes)}
	if c.dir, err = os.MkdirTemp("", "cluster"); err != nil {
		return nil, err
	}
	defer func() {
		if o.KeepLogs || ctx.Err() == nil && (err != nil || !t.ok(o.mayLose())) {
			fmt.Fprintf(stdout, "the logs of the parts are in %s\n", c.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(c.dir))
	}()
	if err := os.Chmod(c.dir, 0o711); err != nil { //nolint:gosec // the database's directory in it may be another user's
		return nil, err
	}
	if err := c.startDatabase(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stopDatabase(context.WithoutCancel(ctx))) }()
	return c.work(ctx, logger)
}

// work needs a database.
func (c *cluster) work(ctx context.Context, logger *slog.Logger) (*tally, error) {
	c.front = newFront(c.Nodes, logger)
	listener, err := program.Listen(ctx, "addr", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	fronting, stopFront := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopFront()
	wg.Go(func() { _ = program.Serve(fronting, listener, c.front, logger) })
	wg.Go(func() { c.front.watch(fronting) })

	key := make([]byte, 32)
	rand.Read(key)
	c.node.Issuer, c.node.RefreshKeys, c.node.APISecret = program.URL(listener), [][]byte{key}, rand.Text()
	c.node.AccessLifetime, c.node.Grace, c.node.KeyRotation, c.node.MaxRollback = c.AccessLifetime, c.Grace, c.KeyRotation, c.MaxRollback
	opening, stopOpening := context.WithTimeoutCause(ctx, 30*time.Second, errNoStore)
	defer stopOpening()
	store, closeStore, err := c.node.Store.openWhenThere(opening, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { _ = closeStore() }()

	l := newLoad(c.node.Issuer, nil, c.Sessions)
	l.double, l.pace, c.tally = c.Double, c.Pace, l.tally
	l.behind = func(ctx context.Context, grant string, generation uint32) bool {
		g, err := store.Grant(ctx, grant)
		return errors.Is(err, authserver.ErrNotFound) || err == nil && g.RevokedAt.IsZero() && g.Generation < generation
	}
	l.alive = func(ctx context.Context, grant string) bool {
		g, err := store.Grant(ctx, grant)
		return err == nil && g.RevokedAt.IsZero()
	}
	defer l.client.CloseIdleConnections()
	defer c.stopParts()
	for i := range c.Nodes {
		if err := c.startNode(ctx, i); err != nil {
			return nil, err
		}
	}
	for i := range c.APIs {
		p, err := startPart(ctx, "api", c.log("api", i), apiConfig{Issuer: c.node.Issuer, Secret: c.node.APISecret}, nil)
		if err != nil {
			return nil, err
		}
		c.apis = append(c.apis, p)
		l.apis = append(l.apis, p.url)
	}
	sessions, err := c.signIn(ctx, store)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.out, "%d authorization servers at %s over %s, %d APIs, %d sessions, for %v\n", c.Nodes, c.node.Issuer, c.Store, c.APIs, c.Sessions, c.For)

	began := time.Now()
	until := began.Add(c.For)
	// What a session has begun it may end, for a minute.
	loading, stopLoad := context.WithDeadline(ctx, until.Add(time.Minute))
	defer stopLoad()
	var clients sync.WaitGroup
	for i := range c.Revoke { // one after the other, the middle one at half time
		sessions[i].revokeAt = began.Add(c.For * time.Duration(i+1) / time.Duration(c.Revoke+1))
	}
	c.tally.going.Store(int64(len(sessions)))
	for _, s := range sessions {
		clients.Go(func() { l.run(loading, s, until) })
	}
	trouble := c.disturb(ctx, began, until)
	clients.Wait()
	took := time.Since(began)
	if err := errors.Join(trouble, ctx.Err()); err != nil {
		return nil, err
	}
	l.checkAtEnd(loading, store, sessions)
	return c.tally, c.tally.print(c.out, took, c.mayLose())
}

// signIn begins the sessions, as an application does that has signed its users in itself.
func (c *cluster) signIn(ctx context.Context, store sessionStore) ([]*session, error) {
	server, err := c.node.server(store, nil, nil)
	if err != nil {
		return nil, err
	}
	sessions := make([]*session, c.Sessions)
	for i := range sessions {
		t, err := server.IssueTokens(ctx, authserver.IssueRequest{ClientID: loadClient, Subject: fmt.Sprint("user ", i)})
		if err != nil {
			return nil, err
		}
		if sessions[i], err = newSession(i, t.RefreshToken); err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

// disturb kills nodes and restarts the store until the time is over.
func (c *cluster) disturb(ctx context.Context, began, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	if c.Kill > 0 {
		wg.Go(func() {
			for every := time.NewTicker(c.Kill); ; {
				select {
				case <-ctx.Done():
					every.Stop()
					return
				case <-every.C:
					c.killNode(context.WithoutCancel(ctx), mathrand.IntN(c.Nodes)) //nolint:gosec // nobody gains by guessing it
				}
			}
		})
	}
	if !c.RestartStore {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(until.Sub(began) / 2):
	}
	err := c.restartDatabase(context.WithoutCancel(ctx), began)
	if err != nil {
		cancel()
	}
	<-ctx.Done()
	return err
}

func (c *cluster) log(part string, n int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s%d.log", part, n))
}

func (c *cluster) startNode(ctx context.Context, i int) error {
	p, err := startPart(ctx, "node", c.log("node", i), c.node, c.tally.event)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.nodes[i] = p
	c.mu.Unlock()
	return c.front.set(i, p.url)
}

// killNode ends a node as a crash does and starts it again. The front is not told: it has to notice.
func (c *cluster) killNode(ctx context.Context, i int) {
	c.mu.Lock()
	p := c.nodes[i]
	c.mu.Unlock()
	p.kill()
	c.tally.kills.Add(1)
	if err := c.startNode(ctx, i); err != nil {
		c.tally.say("node %d did not start again: %v", i, err)
	}
}

func (c *cluster) stopParts() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var wg sync.WaitGroup
	for _, p := range append(c.nodes, c.apis...) {
		if p != nil {
			wg.Go(p.stop)
		}
	}
	wg.Wait()
}
