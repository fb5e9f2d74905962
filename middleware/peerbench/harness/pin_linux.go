package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Pin keeps all threads of this process on one processor: the given one, modulo those that the process may use. If the system
// can't do that, Pin returns [errors.ErrUnsupported] and changes nothing.
func Pin(cpu int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	if everything.Count() == 0 {
		return errors.ErrUnsupported
	}
	set := nth(&everything, cpu)
	for _, t := range threads { // threads that start later inherit it
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// nth returns the set of one of the processors in whole.
func nth(whole *unix.CPUSet, n int) *unix.CPUSet {
	var set unix.CPUSet
	n %= max(1, whole.Count())
	for cpu := 0; ; cpu++ {
		if whole.IsSet(cpu) {
			if n == 0 {
				set.Set(cpu)
				return &set
			}
			n--
		}
	}
}

// everything is the set of processors that the process had when it started; child processes would inherit Pin's.
var everything = func() (set unix.CPUSet) {
	_ = unix.SchedGetaffinity(0, &set)
	return set
}()

// startOn starts cmd on one processor: a process inherits the processors of the thread that starts it.
func startOn(cmd *exec.Cmd, cpu int) error {
	if everything.Count() == 0 {
		return cmd.Start()
	}
	return startWith(cmd, nth(&everything, cpu))
}

func startAnywhere(cmd *exec.Cmd) error { return startWith(cmd, &everything) }

func startWith(cmd *exec.Cmd, set *unix.CPUSet) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if unix.SchedGetaffinity(0, &before) != nil || unix.SchedSetaffinity(0, set) != nil {
		return cmd.Start()
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return cmd.Start()
}
