package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

const (
	databaseFile = "bearergate.db"
	openTimeout  = time.Second
)

// Errors of [Open].
var (
	// ErrInUse is returned when another process has the directory open.
	ErrInUse = errors.New("boltstore: the directory is in use by another process")
	// ErrDamaged is returned when a file is not what this package wrote. The file is left unchanged.
	ErrDamaged = errors.New("boltstore: the file is damaged")
)

// Store is an [authserver.Store] and a [jwks.KeyStore] on disk. Its methods may be called concurrently. After Close
// they return errors.
type Store struct {
	db          *bbolt.DB
	commits     *committer
	refreshKeys [][]byte
}

var (
	_ authserver.Store = (*Store)(nil)
	_ jwks.KeyStore    = (*Store)(nil)
)

// Open opens the directory. If the directory (mode 0700) or its files do not exist, Open creates them. It reads the
// whole database once, so that damage is found now and not by a request. It returns [ErrInUse], [ErrDamaged] and errors
// of the file system, all wrapped. It writes nothing to a directory that it cannot open.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	path := filepath.Join(dir, databaseFile)
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	keys, err := loadRefreshKeys(filepath.Join(dir, refreshKeyFile), isNew)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, commits: &committer{db: db}, refreshKeys: keys}, nil
}

// RefreshKeys returns the keys in the file refresh.keys, for [authserver.Config].RefreshKeys.
func (s *Store) RefreshKeys() [][]byte {
	keys := make([][]byte, len(s.refreshKeys))
	for i, k := range s.refreshKeys {
		keys[i] = slices.Clone(k)
	}
	return keys
}

// Close waits for running calls and releases the directory.
func (s *Store) Close() error {
	s.commits.close()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	return nil
}

// Format implements [fmt.Formatter]. It prints no key, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "boltstore.Store") }

// write runs f in a transaction, which it may share with other writes, and returns when that is on disk.
func (s *Store) write(ctx context.Context, f mutation) error {
	return wrapError(s.commits.apply(ctx, f))
}

func (s *Store) read(ctx context.Context, f func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return wrapError(recoverPanic(func() error { return s.db.View(f) }))
}

func wrapError(err error) error {
	if err == nil || errors.Is(err, authserver.ErrNotFound) || errors.Is(err, authserver.ErrConflict) {
		return err
	}
	return fmt.Errorf("boltstore: %w", err)
}

// openDatabase opens the file and reads all of it. On damaged pages bbolt panics, and reading a mapped page behind the
// end of the file is a fault. Both become ErrDamaged here.
func openDatabase(path string) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if db != nil {
				_ = db.Close() // the panic is the error that counts
			}
			db, err = nil, fmt.Errorf("%w: %s: %v", ErrDamaged, path, p)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: openTimeout, FreelistType: bbolt.FreelistMapType})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrInUse, path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	case err != nil:
		return nil, fmt.Errorf("boltstore: %s: %w", path, err)
	}
	if err = verifyDatabase(db, path); err == nil {
		err = createBuckets(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// verifyDatabase reads every entry and checks the rows' checksums.
func verifyDatabase(db *bbolt.DB, path string) error {
	return db.View(func(tx *bbolt.Tx) error {
		if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
			return fmt.Errorf("%w: %s: the file is shorter than its pages", ErrDamaged, path)
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(_, v []byte) error {
				if string(name) == string(bucketGrants) {
					if _, err := removeChecksum(v); err != nil {
						return fmt.Errorf("%w: %s", err, path)
					}
				}
				return nil
			})
		})
	})
}
