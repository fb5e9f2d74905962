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

// A mutation runs in a transaction, together with others and possibly more than once. It returns a refusal when it has
// decided to change nothing, for example because of a conflict. A failure rolls the transaction back.
type mutation func(tx *bbolt.Tx) (refusal, failure error)

// committer puts mutations that arrive during a commit into the next one, since syncing the disk is what a commit
// costs, whatever is in it. A lone mutation is committed at once, by its caller. However many arrive together, each
// waits for two commits at most.
type committer struct {
	db *bbolt.DB

	mu         sync.Mutex
	queue      []*pendingMutation
	committing bool
	closed     bool
	leaders    sync.WaitGroup // who commits: the first caller, then a goroutine that ends when the queue is empty
}

type pendingMutation struct {
	mutation mutation
	refusal  error
	done     chan error // nil: the result is refusal
}

// maxBatch is the maximum number of mutations in one transaction, which is held in memory.
const maxBatch = 1000

// errUnchanged rolls back a transaction that has changed nothing, so that the disk is not synced.
var errUnchanged = errors.New("boltstore: nothing to commit")

// apply returns when f is on disk, or did not happen. If ctx ends while f is queued, f does not happen. Once its commit
// has begun, apply waits for the result.
func (c *committer) apply(ctx context.Context, f mutation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &pendingMutation{mutation: f, done: make(chan error, 1)}
	leads, err := c.enqueue(p)
	switch {
	case err != nil:
		return err
	case leads:
		c.commit([]*pendingMutation{p})
		c.passLeadership()
		return <-p.done
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	if c.cancel(p) {
		return ctx.Err()
	}
	return <-p.done
}

// enqueue queues p if a commit is running. If none is, the caller leads: it commits p itself.
func (c *committer) enqueue(p *pendingMutation) (leads bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return false, bolterrors.ErrDatabaseNotOpen
	case c.committing:
		c.queue = append(c.queue, p)
		return false, nil
	}
	c.committing = true
	c.leaders.Add(1)
	return true, nil
}

// passLeadership ends the first caller's part. A goroutine commits what was queued meanwhile, so that this caller need
// not wait for it.
func (c *committer) passLeadership() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committing = len(c.queue) > 0
	if c.committing {
		c.leaders.Go(c.commitQueue)
	}
	c.leaders.Done()
}

// cancel reports whether p was still queued, and removes it.
func (c *committer) cancel(p *pendingMutation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.queue, p)
	if i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
	}
	return i >= 0
}

// close waits for the queued mutations and rejects further ones.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.leaders.Wait()
}

// commitQueue commits batches until the queue is empty.
func (c *committer) commitQueue() {
	for {
		batch := c.dequeue()
		if batch == nil {
			return
		}
		for len(batch) > 0 {
			batch = c.commit(batch)
		}
	}
}

func (c *committer) dequeue() []*pendingMutation {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.queue), maxBatch)
	if n == 0 {
		c.committing, c.queue = false, nil
		return nil
	}
	batch := c.queue[:n:n]
	c.queue = slices.Clone(c.queue[n:])
	return batch
}

// commit runs a batch in one transaction. If a mutation fails, that one alone gets its error, and commit returns the
// others: they were rolled back with it and must run again.
func (c *committer) commit(batch []*pendingMutation) (again []*pendingMutation) {
	var failed *pendingMutation
	err := recoverPanic(func() error {
		return c.db.Update(func(tx *bbolt.Tx) error {
			changed := false
			for _, p := range batch {
				failure := recoverPanic(func() (failure error) {
					p.refusal, failure = p.mutation(tx)
					return failure
				})
				if failure != nil {
					failed = p
					return failure
				}
				changed = changed || p.refusal == nil
			}
			if !changed {
				return errUnchanged
			}
			return nil
		})
	})
	if failed != nil {
		failed.done <- err
		return slices.DeleteFunc(batch, func(p *pendingMutation) bool { return p == failed })
	}
	for _, p := range batch {
		if err == nil || errors.Is(err, errUnchanged) {
			p.done <- p.refusal
		} else {
			p.done <- err // also to those that were refused: what they saw was rolled back
		}
	}
	return nil
}

// recoverPanic turns a panic of f into an error. bbolt panics on damaged pages, and so does reading a damaged index
// entry. Other callers wait for the same goroutine, and above authserver.Server.Run nobody recovers.
func recoverPanic(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: panic: %v", p)
		}
	}()
	return f()
}
