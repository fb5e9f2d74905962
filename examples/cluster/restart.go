package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// startDatabase finds the database, or starts one.
func (c *cluster) startDatabase(ctx context.Context) error {
	if url := c.Postgres + c.Redis; url != "" {
		c.node.Store = newStoreConfig(c.Store, url)
		return nil
	}
	if err := installed(c.Store); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c.db = databaseConfig{Kind: c.Store, Dir: filepath.Join(c.dir, "data"), Port: port, AppendFsync: c.AppendFsync}
	if err := os.Mkdir(c.db.Dir, 0o700); err != nil {
		return err
	}
	c.node.Store = newStoreConfig(c.Store, c.db.url())
	return c.startKeeper(ctx)
}

func (c *cluster) startKeeper(ctx context.Context) (err error) {
	c.keeper, err = startPart(ctx, "database", c.log("database", 0), c.db, nil)
	return err
}

// stopDatabase ends a database of the run's own, data and all, and leaves none of the run's data in another.
func (c *cluster) stopDatabase(ctx context.Context) error {
	if c.Postgres+c.Redis != "" {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return c.node.Store.drop(ctx)
	}
	if c.keeper != nil {
		c.keeper.stop()
	}
	return os.RemoveAll(c.db.Dir)
}

// restartDatabase crashes the database and starts it again.
func (c *cluster) restartDatabase(ctx context.Context, began time.Time) error {
	var at, gone time.Time
	crash := func() {
		c.tally.storeAway.Store(true)
		at = time.Now()
		_, _ = fmt.Fprintln(c.keeper.in, crashCommand)
		<-c.keeper.exited
		gone = time.Now()
	}
	what := "all its processes ended at once, without a checkpoint; it recovers from its log"
	if c.Store == kindRedis {
		what = "SIGKILL, which loses nothing that was written"
	}
	if c.PowerCut {
		var err error
		if what, err = cutPower(c.db.Dir, c.AppendFsync, crash); err != nil {
			return err
		}
	} else {
		crash()
	}
	time.Sleep(c.Away)
	if err := c.startKeeper(ctx); err != nil {
		return err
	}
	c.tally.restarts.Add(1)
	for c.tally.going.Load() > 0 && !c.tally.answeredSince(gone) {
		if time.Since(at) > c.Away+30*time.Second {
			return errors.New("nothing is answered half a minute after the store's restart")
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Fprintf(c.out, "%.1f s: %s crashed (%s); refreshes were answered again after %v\n", at.Sub(began).Seconds(), c.Store, what,
		time.Since(at).Round(10*time.Millisecond))
	c.tally.storeAway.Store(false)
	return nil
}
