package boltstore

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	keyFile = "refresh.keys"
	keySize = 32
)

// loadKeys reads the key file, or makes it when there is no database yet. A new key beside an old database would silently end every
// session, so then a missing file is an error.
func loadKeys(path string, fresh bool) ([][]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the directory is the operator's
	if errors.Is(err, fs.ErrNotExist) {
		if !fresh {
			return nil, fmt.Errorf("boltstore: %s is missing, but there is a database whose refresh tokens need it: %w", path, err)
		}
		return newKeyFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("boltstore: %s can be read by others (mode %v); it has to be 0600", path, info.Mode().Perm())
	}
	var keys [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil || len(key) < keySize {
			return nil, fmt.Errorf("%w: %s: a line is not base64 of %d bytes or more", ErrDamaged, path, keySize)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %s: there is no key in it", ErrDamaged, path)
	}
	return keys, nil
}

// newKeyFile writes a first key: to a temporary file that is synced and then renamed, so that there is never half a file.
func newKeyFile(path string) (keys [][]byte, err error) {
	key := make([]byte, keySize)
	rand.Read(key)
	tmp, err := os.CreateTemp(filepath.Dir(path), keyFile+".*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	_, err = tmp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		// Link, not rename: when two processes start at once, the second must not replace the key of the first.
		err = os.Link(tmp.Name(), path)
	}
	_ = os.Remove(tmp.Name()) // a leftover harms nothing
	if errors.Is(err, fs.ErrExist) {
		return loadKeys(path, false)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	return [][]byte{key}, nil
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // a directory can't be synced there
		return nil
	}
	d, err := os.Open(dir) //nolint:gosec // the directory is the operator's
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
