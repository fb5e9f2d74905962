//go:build !linux

package harness

import (
	"errors"
	"os/exec"
)

// Pin returns [errors.ErrUnsupported]: on this system a program can't choose its processor.
func Pin(int) error { return errors.ErrUnsupported }

func startOn(cmd *exec.Cmd, _ int) error { return cmd.Start() }

func startAnywhere(cmd *exec.Cmd) error { return cmd.Start() }
