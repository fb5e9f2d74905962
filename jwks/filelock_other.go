//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package jwks

import (
	"context"
	"sync"
)

// fileLock stands in where the system has no lock that ends with its process: one process at a time may use a file here.
var fileLock sync.Mutex

func lockFile(context.Context, string) (unlock func(), err error) {
	fileLock.Lock()
	return fileLock.Unlock, nil
}
