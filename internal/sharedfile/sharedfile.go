// Package sharedfile locks and replaces small files that several processes share.
package sharedfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockRetry is how long Lock waits between two attempts: no system call that waits for a lock can be ended by a
// context.
const lockRetry = 5 * time.Millisecond

// Lock takes an exclusive lock on the file path and returns the function that gives it up. It creates the file with
// mode 0600. It waits until nobody else has the lock, in this process or another, or until ctx ends, and then fails
// with ctx's cause.
//
// The lock ends with the process that holds it. The file stays: to remove it would take it from under somebody who has
// opened it and waits, and let two hold "the" lock. On a network file system it is worth what that system's locks are
// worth. Where the system has no locks (Plan 9, WebAssembly) it fails with [errors.ErrUnsupported].
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil
}

// Replace puts data in place of the file path, with mode 0600, and has it written to disk before it returns. It is one
// step: a crash leaves the old or the new content, and nobody ever reads half of it. The directory must exist.
func Replace(path string, data []byte) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // it may hold a secret
		return err
	}
	// The new name is on disk once its directory is. Not every system can do that, and the content is in the file
	// anyway.
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}
