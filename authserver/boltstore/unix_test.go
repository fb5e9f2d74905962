//go:build unix

package boltstore_test

import (
	"errors"
	"os"
	"syscall"
)

// limitFileSize simulates a full disk: writes beyond the limit fail.
func limitFileSize(bytes uint64) error {
	limit := syscall.Rlimit{}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = bytes
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

// dropPrivileges turns a process of root, which may write everywhere, into one of nobody.
func dropPrivileges() error {
	if os.Geteuid() != 0 {
		return nil
	}
	return errors.Join(syscall.Setgid(65534), syscall.Setuid(65534))
}
