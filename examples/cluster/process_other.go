//go:build !unix

package main

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr                    { return nil }
func databaseUser(string) (*syscall.SysProcAttr, error) { return nil, nil }

var crashSignal = os.Kill
