package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	dbFile      = "bearergate.db"
	openTimeout = time.Second
)

// Errors of [Open].
var (
	// ErrInUse says that another process has the directory open.
	ErrInUse = errors.New("boltstore: the directory is in use by another process")
	// ErrDamaged says that a file is not what this package wrote. It is left as it is.
	ErrDamaged = errors.New("boltstore: the file is damaged")
)

// Open opens the directory, and makes it (mode 0700) and its files when they are not there. It reads through the whole
// database once, so that a damaged file is found now and not by a request. Errors: ErrInUse, ErrDamaged, and those of the file
// system, all wrapped; nothing is written to a directory that can't be opened.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	path := filepath.Join(dir, dbFile)
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	keys, err := loadKeys(filepath.Join(dir, keyFile), fresh)
	if err != nil {
		return nil, err
	}
	db, err := openDB(path)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, commits: &committer{db: db}, keys: keys}, nil
}

// openDB opens the file and walks through it. bbolt panics on pages that make no sense, and reading a mapped page that the file no
// longer has is a fault; here both become an error.
func openDB(path string) (db *bbolt.DB, err error) {
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
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	case err != nil:
		return nil, fmt.Errorf("boltstore: %s: %w", path, err)
	}
	if err = check(db, path); err == nil {
		err = prepare(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// check reads every entry.
func check(db *bbolt.DB, path string) error {
	return db.View(func(tx *bbolt.Tx) error {
		if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
			return fmt.Errorf("%w: %s: it is shorter than it should be", ErrDamaged, path)
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(_, v []byte) error {
				if string(name) == string(bucketGrants) {
					if _, err := unseal(v); err != nil {
						return fmt.Errorf("%w: %s", err, path)
					}
				}
				return nil
			})
		})
	})
}

// prepare makes the buckets of a new file, and in one that is older those that it has not.
func prepare(db *bbolt.DB) error {
	missing := false
	err := db.View(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			missing = missing || tx.Bucket(name) == nil
		}
		return nil
	})
	if err != nil || !missing {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		indexed := tx.Bucket(bucketRevoked) != nil
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if indexed {
			return nil
		}
		return tx.Bucket(bucketGrants).ForEach(func(id, _ []byte) error {
			g, err := get(tx, string(id))
			if err != nil {
				return err
			}
			return noteRevoked(tx, &g)
		})
	})
	if err != nil {
		return fmt.Errorf("boltstore: preparing the database: %w", err)
	}
	return nil
}
