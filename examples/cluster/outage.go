package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// startDatabase uses the database of the flags, or starts one.
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
	return c.startDatabaseProcess(ctx)
}

func (c *cluster) startDatabaseProcess(ctx context.Context) (err error) {
	c.database, err = startProcess(ctx, "database", c.logFile("database", 0), c.db, nil)
	return err
}

// stopDatabase stops a database that the program started, and removes its data. From any other database it deletes the
// run's data.
func (c *cluster) stopDatabase(ctx context.Context) error {
	if c.Postgres+c.Redis != "" {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return c.node.Store.drop(ctx)
	}
	if c.database != nil {
		c.database.stop()
	}
	return os.RemoveAll(c.db.Dir)
}

// restartDatabase crashes the database and starts it again.
func (c *cluster) restartDatabase(ctx context.Context, began time.Time) error {
	var crashedAt, downSince time.Time
	crash := func() {
		c.results.storeDown.Store(true)
		crashedAt = time.Now()
		_, _ = fmt.Fprintln(c.database.in, crashCommand)
		<-c.database.exited
		downSince = time.Now()
	}
	description := "all its processes ended at once, without a checkpoint"
	if c.Store == kindRedis {
		description = "SIGKILL, which loses nothing that was written"
	}
	if c.PowerCut {
		var err error
		if description, err = cutPower(c.db.Dir, c.AppendFsync, crash); err != nil {
			return err
		}
	} else {
		crash()
	}
	time.Sleep(c.Outage)
	if err := c.startDatabaseProcess(ctx); err != nil {
		return err
	}
	c.results.restarts.Add(1)
	for c.results.activeClients.Load() > 0 && !c.results.answeredSince(downSince) {
		if time.Since(crashedAt) > c.Outage+30*time.Second {
			return errors.New("no refresh succeeded within 30 s after the restart of the store")
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Fprintf(c.out, "%.1f s: %s crashed (%s); refreshes were answered again after %v\n",
		crashedAt.Sub(began).Seconds(), c.Store, description, time.Since(crashedAt).Round(10*time.Millisecond))
	c.results.storeDown.Store(false)
	return nil
}

// appendOnlyFile returns the file that Redis appends to: since version 7 one of a directory, before that a single file.
func appendOnlyFile(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		files = []string{filepath.Join(dir, "appendonly.aof")}
	}
	slices.Sort(files)
	return files[len(files)-1], nil
}

// partialCommand is what remains of a command when a power cut interrupts its write.
const partialCommand = "*3\r\n$3\r\nSET\r\n$12\r\nnever answ"

// cutPower crashes Redis and truncates its append-only file as a power cut may do. SIGKILL alone loses nothing, because
// the operating system keeps what was written but not yet synced. cutPower returns a description of what it did.
//
// With appendfsync always, Redis syncs before it answers. So the file keeps everything that was acknowledged, and may
// end with part of the next command. With everysec, everything since the last sync may be lost. Redis does not report
// the time of that sync; if the disk keeps up, it was at most a second ago. So the file is truncated to its length of
// one second before the crash.
func cutPower(dir, appendFsync string, crash func()) (string, error) {
	file, err := appendOnlyFile(dir)
	if err != nil {
		return "", err
	}
	if appendFsync == always {
		crash()
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return "", err
		}
		_, err = f.WriteString(partialCommand)
		return fmt.Sprintf("everything that Redis had acknowledged was synced; %d bytes of an unacknowledged command "+
			"were left at the end of the append-only file", len(partialCommand)), errors.Join(err, f.Close())
	}
	before, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	time.Sleep(time.Second) // what everysec may lose
	crash()
	after, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the append-only file was truncated from %d bytes to its %d bytes of 1 s before the crash",
		after.Size(), before.Size()), os.Truncate(file, before.Size())
}
