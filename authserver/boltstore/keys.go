package boltstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/jwks"
)

// signingKeysState is the only key of bucketSigningKeys.
var signingKeysState = []byte("state")

// LoadKeys returns the state of the signing keys. See [jwks.KeyStore].
func (s *Store) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		state = slices.Clone(tx.Bucket(bucketSigningKeys).Get(signingKeysState))
		return nil
	})
	return state, stateVersion(state), err
}

// SaveKeys replaces the state of the signing keys. See [jwks.KeyStore].
func (s *Store) SaveKeys(ctx context.Context, state []byte, version string) error {
	return s.write(ctx, func(tx *bbolt.Tx) (refusal, failure error) {
		b := tx.Bucket(bucketSigningKeys)
		if stateVersion(b.Get(signingKeysState)) != version {
			return jwks.ErrConflict, nil
		}
		return nil, b.Put(signingKeysState, state)
	})
}

// stateVersion is the hash of a state, "" for none.
func stateVersion(state []byte) string {
	if len(state) == 0 {
		return ""
	}
	sum := sha256.Sum256(state)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const (
	refreshKeyFile = "refresh.keys"
	refreshKeySize = 32
)

// loadRefreshKeys reads the file of refresh keys, and creates it if the database is new. A new key beside an old
// database would silently invalidate every refresh token, so there a missing file is an error.
func loadRefreshKeys(path string, newDatabase bool) ([][]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the directory is the operator's
	if errors.Is(err, fs.ErrNotExist) {
		if !newDatabase {
			return nil, fmt.Errorf("boltstore: %s is missing, but the existing database needs it: %w", path, err)
		}
		return createRefreshKeys(path)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("boltstore: %s has mode %04o, it must be 0600: it contains keys", path, info.Mode().Perm())
	}
	var keys [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil || len(key) < refreshKeySize {
			return nil, fmt.Errorf("%w: %s: a line is not base64 of at least %d bytes", ErrDamaged, path, refreshKeySize)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %s: it contains no key", ErrDamaged, path)
	}
	return keys, nil
}

// createRefreshKeys writes the first key. It writes a temporary file, syncs it and then links it, so that the file is
// never incomplete.
func createRefreshKeys(path string) (keys [][]byte, err error) {
	key := make([]byte, refreshKeySize)
	rand.Read(key)
	temp, err := os.CreateTemp(filepath.Dir(path), refreshKeyFile+".*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	_, err = temp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		// Link, not Rename: when two processes start at once, the second must not replace the key of the first.
		err = os.Link(temp.Name(), path)
	}
	_ = os.Remove(temp.Name()) // a leftover does no harm
	if errors.Is(err, fs.ErrExist) {
		return loadRefreshKeys(path, false)
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
	if runtime.GOOS == "windows" { // which cannot sync a directory
		return nil
	}
	d, err := os.Open(dir) //nolint:gosec // the directory is the operator's
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
