package boltstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// A change runs in a transaction, together with others and perhaps more than once. It sets outcome when it has changed nothing for
// a reason of its own, a conflict for instance; broken undoes the transaction.
type change func(tx *bbolt.Tx) (outcome, broken error)

// committer puts changes that come while a commit is under way into the next one: a lone change is committed at once, by its
// caller, and however many come together, each waits for two commits at most. Syncing the disk is what a commit costs, whatever
// is in it.
type committer struct {
	db *bbolt.DB

	mu      sync.Mutex
	waiting []*pending
	running bool // somebody commits
	closed  bool
	runs    sync.WaitGroup // who commits: the caller who came first, then a goroutine that ends when nothing is waiting
}

type pending struct {
	change  change
	outcome error
	done    chan error // nil when the outcome counts
}

// maxShared is how many changes share a transaction: it must fit into memory.
const maxShared = 1000

// errNothing undoes a transaction that has changed nothing, so that the disk need not be synced.
var errNothing = errors.New("boltstore: nothing to commit")

// do returns when the change is on disk, or has not happened. When ctx ends while the change is waiting, it does not happen; once
// its commit has begun, its result is awaited.
func (c *committer) do(ctx context.Context, f change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &pending{change: f, done: make(chan error, 1)}
	first, err := c.enqueue(p)
	switch {
	case err != nil:
		return err
	case first:
		c.commit([]*pending{p})
		c.handOver()
		return <-p.done
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	if c.withdraw(p) {
		return ctx.Err()
	}
	return <-p.done
}

// enqueue makes p wait, unless nobody commits: then its caller is the first.
func (c *committer) enqueue(p *pending) (first bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return false, bolterrors.ErrDatabaseNotOpen
	case c.running:
		c.waiting = append(c.waiting, p)
		return false, nil
	}
	c.running = true
	c.runs.Add(1)
	return true, nil
}

// handOver ends the first caller's part. What has come meanwhile is not for that caller to wait for.
func (c *committer) handOver() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = len(c.waiting) > 0
	if c.running {
		c.runs.Go(c.run)
	}
	c.runs.Done()
}

// withdraw tells whether p was still waiting.
func (c *committer) withdraw(p *pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, p)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

// close waits for the changes that have come and refuses further ones.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.runs.Wait()
}

func (c *committer) run() {
	for {
		batch := c.take()
		if batch == nil {
			return
		}
		for len(batch) > 0 {
			batch = c.commit(batch)
		}
	}
}

func (c *committer) take() []*pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxShared)
	if n == 0 {
		c.running, c.waiting = false, nil
		return nil
	}
	batch := c.waiting[:n:n]
	c.waiting = slices.Clone(c.waiting[n:])
	return batch
}

// commit runs the changes in one transaction and returns those that have to be run again, because one of the others broke
// it. That one alone fails.
func (c *committer) commit(batch []*pending) (again []*pending) {
	var breaker *pending
	err := contain(func() error {
		return c.db.Update(func(tx *bbolt.Tx) error {
			changed := false
			for _, p := range batch {
				broken := contain(func() (broken error) {
					p.outcome, broken = p.change(tx)
					return broken
				})
				if broken != nil {
					breaker = p
					return broken
				}
				changed = changed || p.outcome == nil
			}
			if !changed {
				return errNothing
			}
			return nil
		})
	})
	if breaker != nil {
		breaker.done <- err
		return slices.DeleteFunc(batch, func(p *pending) bool { return p == breaker })
	}
	for _, p := range batch {
		if err == nil || errors.Is(err, errNothing) {
			p.done <- p.outcome
		} else {
			p.done <- err // what the outcome was judged by is gone too
		}
	}
	return nil
}

// contain turns a panic into an error: bbolt panics on pages that make no sense, and so does reading entries of an index that are
// damaged. Others wait in the same goroutine, or it is that of authserver.Server.Run, above which nobody recovers.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: panic: %v", p)
		}
	}()
	return f()
}
