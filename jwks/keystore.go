package jwks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/bearergate/bearergate/internal/sharedfile"
)

// KeyStore keeps the state of a [Rotator]: one small text of some KiB. It holds private keys, so it has to be protected
// like one, or encrypted by a [SealedKeyStore].
//
// Several Rotators may share a store; the state in it decides for all of them. An implementation must be safe for
// concurrent use. [FileKeyStore], [MemoryKeyStore] and [SealedKeyStore] are three. RunKeys of package
// authserver/storetest tests the contract.
type KeyStore interface {
	// LoadKeys returns the state that was saved last, by whichever node, and its version. No other state ever has that
	// version. Both are empty if nothing has been saved yet, which is no error. The caller may change the returned
	// state.
	LoadKeys(ctx context.Context) (state []byte, version string, err error)

	// SaveKeys replaces the state, atomically and durably, if the version is still the given one (empty: if nothing has
	// been saved yet). Otherwise it changes nothing and fails with ErrConflict. If ctx has ended, it changes nothing
	// and fails. The state is never empty and may be any bytes.
	SaveKeys(ctx context.Context, state []byte, version string) error
}

// Errors of a [KeyStore].
var (
	// ErrConflict is returned by SaveKeys if somebody else has saved in the meantime.
	ErrConflict = errors.New("jwks: the keys were changed in the meantime")

	// ErrSealKey is returned by [NewSealedKeyStore] if it was given no key, or one that does not have 32 bytes.
	ErrSealKey = errors.New("jwks: a seal key must have 32 bytes")

	// ErrSealed means that none of the keys of a [SealedKeyStore] opens what is stored. It is left as it is.
	ErrSealed = errors.New("jwks: no seal key opens the stored signing keys")
)

// MemoryKeyStore keeps the keys for the life of the process. It is for tests and demonstrations: after a restart,
// tokens from before are rejected. The zero value is ready to use. It is safe for concurrent use and must not be
// copied.
type MemoryKeyStore struct {
	mu      sync.Mutex
	state   []byte
	version int
}

// LoadKeys implements [KeyStore].
func (m *MemoryKeyStore) LoadKeys(context.Context) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.state), m.versionName(), nil
}

// SaveKeys implements [KeyStore].
func (m *MemoryKeyStore) SaveKeys(ctx context.Context, state []byte, version string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if version != m.versionName() {
		return ErrConflict
	}
	m.state = bytes.Clone(state)
	m.version++
	return nil
}

func (m *MemoryKeyStore) versionName() string {
	if m.version == 0 {
		return ""
	}
	return strconv.Itoa(m.version)
}

// Format implements [fmt.Formatter] and prints no key, whatever the verb.
func (m *MemoryKeyStore) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "jwks.MemoryKeyStore") }

// FileKeyStore returns a KeyStore that keeps the keys in the file path. The first save creates the file, with mode
// 0600, and its directory, with mode 0700.
//
// The file is always replaced as a whole: a crash leaves the old or the new state, never half of one. Several processes
// may share it. A lock on a second file, path + ".lock", lets one at a time compare and replace, and ends with the
// process that holds it. On a network file system the lock is worth what that system's locks are worth. Where the
// system has no file locks (Plan 9, WebAssembly), SaveKeys fails with [errors.ErrUnsupported].
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
