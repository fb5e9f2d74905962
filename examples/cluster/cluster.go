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
	results, err := o.run(ctx, stdout, logger)
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	if !results.ok(o.mayLoseWrites()) {
		return errFailed
	}
	return nil
}

// cluster is all running processes, and the load on them.
type cluster struct {
	*options
	out      io.Writer
	dir      string // temporary directory
	results  *results
	front    *front
	db       databaseConfig
	database *process // runs db; nil: the database server existed before
	node     nodeConfig

	mu    sync.Mutex
	nodes []*process
	apis  []*process
}

// run runs the cluster and returns the results.
func (o *options) run(ctx context.Context, stdout io.Writer, logger *slog.Logger) (r *results, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &cluster{options: o, out: stdout, nodes: make([]*process, o.Nodes)}
	if c.dir, err = os.MkdirTemp("", "cluster"); err != nil {
		return nil, err
	}
	defer func() {
		if o.KeepLogs || ctx.Err() == nil && (err != nil || !r.ok(o.mayLoseWrites())) {
			fmt.Fprintf(stdout, "the logs of the processes are in %s\n", c.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(c.dir))
	}()
	//nolint:gosec // the database's directory in it may belong to another user
	if err := os.Chmod(c.dir, 0o711); err != nil {
		return nil, err
	}
	if err := c.startDatabase(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stopDatabase(context.WithoutCancel(ctx))) }()
	return c.runLoad(ctx, logger)
}

// runLoad starts the servers and APIs over the running database, and runs the clients.
func (c *cluster) runLoad(ctx context.Context, logger *slog.Logger) (*results, error) {
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
	c.node.AccessLifetime, c.node.Grace = c.AccessLifetime, c.Grace
	c.node.KeyRotation, c.node.MaxRollback = c.KeyRotation, c.MaxRollback
	opening, stopOpening := context.WithTimeoutCause(ctx, 30*time.Second, errNoStore)
	defer stopOpening()
	store, closeStore, err := c.node.Store.openWithRetry(opening, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { _ = closeStore() }()

	l := newLoad(c.node.Issuer, nil, c.Clients)
	l.double, l.pace, c.results = c.Double, c.Pace, l.results
	l.storeIsBehind = func(ctx context.Context, grant string, generation uint32) bool {
		g, err := store.Grant(ctx, grant)
		return errors.Is(err, authserver.ErrNotFound) || err == nil && g.RevokedAt.IsZero() && g.Generation < generation
	}
	l.isActive = func(ctx context.Context, grant string) bool {
		g, err := store.Grant(ctx, grant)
		return err == nil && g.RevokedAt.IsZero()
	}
	defer l.httpClient.CloseIdleConnections()
	defer c.stopProcesses()
	for i := range c.Nodes {
		if err := c.startNode(ctx, i); err != nil {
			return nil, err
		}
	}
	for i := range c.APIs {
		config := apiConfig{Issuer: c.node.Issuer, Secret: c.node.APISecret}
		p, err := startProcess(ctx, "api", c.logFile("api", i), config, nil)
		if err != nil {
			return nil, err
		}
		c.apis = append(c.apis, p)
		l.apis = append(l.apis, p.url)
	}
	clients, err := c.createClients(ctx, store)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.out, "%d authorization servers at %s over %s, %d APIs, %d clients, for %v\n",
		c.Nodes, c.node.Issuer, c.Store, c.APIs, c.Clients, c.For)

	began := time.Now()
	until := began.Add(c.For)
	// A client may finish what it has begun, for a minute.
	loading, stopLoad := context.WithDeadline(ctx, until.Add(time.Minute))
	defer stopLoad()
	var running sync.WaitGroup
	for i := range c.Revoke { // evenly spread over the run
		clients[i].revokeAt = began.Add(c.For * time.Duration(i+1) / time.Duration(c.Revoke+1))
	}
	c.results.activeClients.Store(int64(len(clients)))
	for _, cl := range clients {
		running.Go(func() { l.run(loading, cl, until) })
	}
	failure := c.disturb(ctx, began, until)
	running.Wait()
	took := time.Since(began)
	if err := errors.Join(failure, ctx.Err()); err != nil {
		return nil, err
	}
	l.checkAll(loading, store, clients)
	return c.results, c.results.print(c.out, took, c.mayLoseWrites())
}

// createClients creates the clients with their grants, as an application does that signs in users itself.
func (c *cluster) createClients(ctx context.Context, store clusterStore) ([]*client, error) {
	server, err := c.node.server(store, nil, nil)
	if err != nil {
		return nil, err
	}
	clients := make([]*client, c.Clients)
	for i := range clients {
		t, err := server.IssueTokens(ctx, authserver.IssueRequest{ClientID: loadClient, Subject: fmt.Sprint("user ", i)})
		if err != nil {
			return nil, err
		}
		if clients[i], err = newClient(i, t.RefreshToken); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// disturb kills nodes and restarts the store until the run ends.
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
					c.killNode(context.WithoutCancel(ctx), mathrand.IntN(c.Nodes)) //nolint:gosec // not a secret
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

func (c *cluster) logFile(process string, n int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s%d.log", process, n))
}

func (c *cluster) startNode(ctx context.Context, i int) error {
	p, err := startProcess(ctx, "node", c.logFile("node", i), c.node, c.results.event)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.nodes[i] = p
	c.mu.Unlock()
	return c.front.set(i, p.url)
}

// killNode simulates a crash of a node, and starts it again. The front is not told: it must notice.
func (c *cluster) killNode(ctx context.Context, i int) {
	c.mu.Lock()
	p := c.nodes[i]
	c.mu.Unlock()
	p.kill()
	c.results.kills.Add(1)
	if err := c.startNode(ctx, i); err != nil {
		c.results.note("node %d did not start again: %v", i, err)
	}
}

func (c *cluster) stopProcesses() {
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
