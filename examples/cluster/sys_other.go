//go:build !unix

package main

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr                   { return nil }
func forDatabase(string) (*syscall.SysProcAttr, error) { return nil, nil }

var crash = os.Kill
