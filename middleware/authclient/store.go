package authclient

import (
	"context"
	"sync"

	"golang.org/x/oauth2"
)

// Store keeps the token of one grant where it outlives the process, or where several processes share it. Its methods
// must be safe for concurrent use. Load and Save may be called without the lock.
type Store interface {
	// Load returns the token, or nil and no error if there is none. It should restore ExpiresIn, and what Extra
	// returns for id_token and scope.
	Load(ctx context.Context) (*oauth2.Token, error)

	// Save replaces the token, completely or not at all, and returns when the new one is durable. It must not keep the
	// pointer.
	Save(ctx context.Context, token *oauth2.Token) error

	// Lock waits until nobody else has the lock of the same grant, in any process, or until ctx ends. It is held
	// during a refresh, so that a refresh token is used once. Unlock is called exactly once.
	Lock(ctx context.Context) (unlock func(), err error)
}

// MemoryStore is a [Store] in this process's memory, for several Transports of one grant. Make it with
// [NewMemoryStore].
type MemoryStore struct {
	lock  chan struct{} // contains one element while it is locked
	mu    sync.Mutex
	token *oauth2.Token
}

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore { return &MemoryStore{lock: make(chan struct{}, 1)} }

// Load returns a copy of the token, or nil if there is none.
func (s *MemoryStore) Load(context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cloneToken(s.token), nil
}

// Save stores a copy of token.
func (s *MemoryStore) Save(_ context.Context, token *oauth2.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = cloneToken(token)
	return nil
}

// Lock waits for the lock, or until ctx ends.
func (s *MemoryStore) Lock(ctx context.Context) (func(), error) {
	select {
	case s.lock <- struct{}{}:
		return func() { <-s.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// String returns the name of the type, so that no print shows a token.
func (s *MemoryStore) String() string { return "authclient.MemoryStore" }

// GoString returns String, for %#v.
func (s *MemoryStore) GoString() string { return s.String() }
