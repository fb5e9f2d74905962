package authclient

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"time"
)

// A lock file made by lockExclusive is taken to be left behind by a process that has died after staleLock: no refresh
// holds a lock for that long, unless Config.Timeout was set to more.
const staleLock = 2 * time.Minute

// waitForLock calls try until it reports that it has the lock, with growing pauses, until ctx ends. There is no call that
// waits for a file's lock and can be ended by a context.
func waitForLock(ctx context.Context, try func() (bool, error)) error {
	pause := 5 * time.Millisecond
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if got, err := try(); got || err != nil {
			return err
		}
		timer := time.NewTimer(pause + jitter(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// lockExclusive locks by the existence of the file name: the way for systems without flock(2).
func lockExclusive(ctx context.Context, name string) (func(), error) {
	mark := rand.Text()
	err := waitForLock(ctx, func() (bool, error) {
		file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = file.WriteString(mark)
			if closeErr := file.Close(); err == nil {
				err = closeErr
			}
			if err != nil {
				_ = os.Remove(name)
			}
			return err == nil, err
		}
		// Windows says "access denied" for a file that is about to go away.
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrPermission) {
			return false, err
		}
		info, statErr := os.Stat(name)
		switch {
		case statErr == nil && time.Since(info.ModTime()) > staleLock:
			_ = os.Remove(name)
		case errors.Is(statErr, fs.ErrNotExist) && errors.Is(err, fs.ErrPermission):
			return false, err // the directory is not ours to write to
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return func() {
		// Not a lock that another has taken since because it held ours for stale.
		if held, err := os.ReadFile(name); err == nil && string(held) == mark {
			_ = os.Remove(name)
		}
	}, nil
}
