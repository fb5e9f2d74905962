//go:build unix

package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownGroup keeps the terminal's signals from a child.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// forDatabase is how a database runs: as the user postgres if this is root, for whom PostgreSQL does not run. The directory becomes
// that user's.
func forDatabase(dir string) (*syscall.SysProcAttr, error) {
	attr := ownGroup()
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run for root: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // ids are not negative
	return attr, os.Chown(dir, uid, gid)
}

// crash makes all processes of a PostgreSQL server end at once, without a checkpoint or anything else (its immediate shutdown).
var crash os.Signal = syscall.SIGQUIT
