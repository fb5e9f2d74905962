//go:build unix

package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownGroup shields a child from signals of the terminal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// databaseUser returns the attributes of a database process. PostgreSQL refuses to run as root; then it runs as the
// user postgres, who also gets the directory.
func databaseUser(dir string) (*syscall.SysProcAttr, error) {
	attr := ownGroup()
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
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

// crashSignal ends all processes of a PostgreSQL server at once, without a checkpoint (its immediate shutdown).
var crashSignal os.Signal = syscall.SIGQUIT
