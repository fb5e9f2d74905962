package authclient

import (
	"context"
	"sync"

	"golang.org/x/oauth2"
)

// Store keeps the token of one session where it outlives the process, or where several processes share it. All methods may
// be called at the same time, Load and Save also without the lock.
type Store interface {
	// Load returns the token, or nil and no error if there is none. It should bring back what Extra has as id_token and
	// scope, and ExpiresIn.
	Load(ctx context.Context) (*oauth2.Token, error)

	// Save puts token in the place of what was there, whole or not at all, and returns when it is safe. It must not keep
	// the pointer for others to change.
	Save(ctx context.Context, token *oauth2.Token) error

	// Lock waits until no other holder of the same session's token has the lock, in whatever process, or ctx ends. It is
	// held during a refresh, so that a refresh token is used once. Unlock is called exactly once.
	Lock(ctx context.Context) (unlock func(), err error)
}

// MemoryStore is a [Store] in this process's memory, for several Transports of one session. Make it with [NewMemoryStore].
type MemoryStore struct {
	lock  chan struct{} // holds one element while it is locked
	mu    sync.Mutex
	token *oauth2.Token
}

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore { return &MemoryStore{lock: make(chan struct{}, 1)} }

// Load returns a copy of the token, nil if there is none.
func (s *MemoryStore) Load(context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cloneToken(s.token), nil
}

// Save keeps a copy of token.
func (s *MemoryStore) Save(_ context.Context, token *oauth2.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = cloneToken(token)
	return nil
}

// Lock waits for the lock or the end of ctx.
func (s *MemoryStore) Lock(ctx context.Context) (func(), error) {
	select {
	case s.lock <- struct{}{}:
		return func() { <-s.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// String names the type and nothing of what is in it.
func (s *MemoryStore) String() string { return "authclient.MemoryStore" }

// GoString is String, for %#v.
func (s *MemoryStore) GoString() string { return s.String() }
