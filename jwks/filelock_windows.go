package jwks

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// lockFile opens the file for ourselves alone. The system closes it for us if the process dies.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const sharingViolation syscall.Errno = 32
	for {
		file, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
			syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
		if err == nil {
			return func() { _ = syscall.CloseHandle(file) }, nil
		}
		if !errors.Is(err, sharingViolation) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
}

const lockPoll = 5 * time.Millisecond
