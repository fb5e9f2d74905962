package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// appendOnlyFile is the file that Redis appends to: one of a directory since version 7, a single one before.
func appendOnlyFile(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		files = []string{filepath.Join(dir, "appendonly.aof")}
	}
	slices.Sort(files)
	return files[len(files)-1], nil
}

// half is what a cut in the middle of a write leaves of a command.
const half = "*3\r\n$3\r\nSET\r\n$12\r\nnever answ"

// cutPower crashes Redis and then takes from the end of its append-only file what a power cut may take. That SIGKILL alone loses
// nothing is because the system has what was written even if it is not on the disk yet. It returns what it did.
//
// With appendfsync always Redis answers nothing before it is on the disk, so the file may not lose anything that was answered; after
// it there may be half of what came last. With everysec all that was written since the last sync may be gone. Redis does not tell when
// that was; it is a second ago at most if the disk keeps up, so the file is cut to the length that it had a second before.
func cutPower(dir, appendFsync string, crash func()) (string, error) {
	file, err := appendOnlyFile(dir)
	if err != nil {
		return "", err
	}
	if appendFsync == always {
		crash()
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return "", err
		}
		_, err = f.WriteString(half)
		return fmt.Sprintf("all that Redis had answered had been synced and stays; %d bytes, half of a command that was never answered, "+
			"were left at the end of the append-only file", len(half)), errors.Join(err, f.Close())
	}
	before, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	time.Sleep(time.Second) // what everysec may lose, by the wall clock
	crash()
	after, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the append-only file of %d bytes was cut to the %d that it had 1 s before the crash", after.Size(), before.Size()),
		os.Truncate(file, before.Size())
}
