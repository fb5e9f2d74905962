package jwks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
)

// KeyStore keeps the state of a [Rotator]: one small text, some KiB, which holds private keys and so has to be kept like one, or
// sealed by a [SealedKeyStore].
//
// Several Rotators may share a store; the state in it decides for all of them. An implementation must be safe for concurrent
// use. [FileKeyStore], [MemoryKeyStore] and [SealedKeyStore] are three. The contract in executable form is RunKeys of package
// authserver/storetest.
type KeyStore interface {
	// LoadKeys returns what was saved last, by whichever node, and its version, which is never that of another state. Both
	// are empty when nothing has been saved yet, which is no error. The state is the caller's to change.
	LoadKeys(ctx context.Context) (state []byte, version string, err error)

	// SaveKeys replaces the state, in one step and for good, provided that the version is still the given one (empty:
	// that nothing has been saved yet). Otherwise it changes nothing and fails with ErrConflict. With a ctx that has ended it
	// changes nothing and fails. The state is never empty and may be any bytes.
	SaveKeys(ctx context.Context, state []byte, version string) error
}

// Errors of a [KeyStore].
var (
	// ErrConflict is what SaveKeys fails with when somebody else has saved in the meantime.
	ErrConflict = errors.New("jwks: the keys were changed in the meantime")

	// ErrSealKey is what [NewSealedKeyStore] fails with: it was given no key, or one that has not 32 bytes.
	ErrSealKey = errors.New("jwks: a key to seal with has to have 32 bytes")

	// ErrSealed says that none of the keys of a [SealedKeyStore] opens what is in the store underneath. It is left as it is.
	ErrSealed = errors.New("jwks: none of the keys to seal with opens the signing keys")
)

// MemoryKeyStore keeps the keys for the life of the process. It is for tests and for demonstrations: after a restart no
// token from before is accepted. It is ready to use, safe for concurrent use, and must not be copied.
type MemoryKeyStore struct {
	mu      sync.Mutex
	state   []byte
	version int
}

// LoadKeys implements [KeyStore].
func (m *MemoryKeyStore) LoadKeys(context.Context) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.state), m.name(), nil
}

// SaveKeys implements [KeyStore].
func (m *MemoryKeyStore) SaveKeys(ctx context.Context, state []byte, version string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if version != m.name() {
		return ErrConflict
	}
	m.state = bytes.Clone(state)
	m.version++
	return nil
}

func (m *MemoryKeyStore) name() string {
	if m.version == 0 {
		return ""
	}
	return strconv.Itoa(m.version)
}

// Format implements [fmt.Formatter]: whatever the verb, no key is printed.
func (m *MemoryKeyStore) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "jwks.MemoryKeyStore") }
