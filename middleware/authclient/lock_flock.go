//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package authclient

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// lockFile locks the file name with flock(2). The file stays: to remove it would take it from under one who has opened it
// and waits, and let two hold "the" lock.
func lockFile(ctx context.Context, name string) (func(), error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = waitForLock(ctx, func() (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil // which unlocks
}
