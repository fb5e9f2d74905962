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

// KeyStore keeps the state of a [Rotator]: one small text, which holds private keys and so has to be kept like one.
//
// Several Rotators may share a store; the state in it decides for all of them. An implementation must be safe for concurrent
// use. [FileKeyStore] and [MemoryKeyStore] are two.
type KeyStore interface {
	// LoadKeys returns what was saved last, by whichever node, and a version that changes whenever the state does. Both
	// are empty when nothing has been saved yet, which is no error.
	LoadKeys(ctx context.Context) (state []byte, version string, err error)

	// SaveKeys replaces the state, in one step and for good, provided that the version is still the given one (empty:
	// that nothing has been saved yet). Otherwise it changes nothing and fails with ErrConflict.
	SaveKeys(ctx context.Context, state []byte, version string) error
}

// ErrConflict is what [KeyStore].SaveKeys fails with when somebody else has saved in the meantime.
var ErrConflict = errors.New("jwks: the keys were changed in the meantime")

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
func (m *MemoryKeyStore) SaveKeys(_ context.Context, state []byte, version string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
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
