package jwks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bearergate/bearergate/internal/sharedfile"
)

// FileKeyStore keeps the keys of a [Rotator] in one file, with mode 0600, which it creates when there is something to keep,
// together with its directory (mode 0700).
//
// The file is always replaced as a whole, so that a crash leaves the old or the new state and never half of one. Several
// processes may share it: a lock on a second file, path + ".lock", lets one at a time compare and replace. The lock ends with
// the process that holds it. On a network file system it is worth what the file system's own locks are worth.
func FileKeyStore(path string) KeyStore { return &fileKeyStore{path: path} }

type fileKeyStore struct{ path string }

func (f *fileKeyStore) LoadKeys(context.Context) ([]byte, string, error) {
	state, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("jwks: key file: %w", err)
	}
	sum := sha256.Sum256(state)
	return state, hex.EncodeToString(sum[:]), nil
}

func (f *fileKeyStore) SaveKeys(ctx context.Context, state []byte, version string) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("jwks: key file: %w", err)
	}
	unlock, err := sharedfile.Lock(ctx, f.path+".lock")
	if err != nil {
		return fmt.Errorf("jwks: key file: lock: %w", err)
	}
	defer unlock()
	_, now, err := f.LoadKeys(ctx)
	if err != nil {
		return err
	}
	if now != version {
		return ErrConflict
	}
	if err := sharedfile.Replace(f.path, state); err != nil {
		return fmt.Errorf("jwks: key file: %w", err)
	}
	return nil
}
