package authclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/internal/sharedfile"
)

const maxFile = 1 << 20 // the largest token file, in bytes

// FileStore is a [Store] in one file, which several processes may share. Make it with [NewFileStore].
//
// The file is a JSON object with the members access_token, token_type, refresh_token, expires_at (RFC 3339, UTC),
// expires_in, id_token and scope. Only the owner may read it (mode 0600). It is replaced as a whole, by a rename, so
// that nobody ever reads half of it.
//
// The lock is a second file, whose name is that of the first and ".lock". That file stays. The lock ends with the
// process that holds it. A network file system may not honour locks, and some systems have none (Plan 9,
// WebAssembly). Then two processes may refresh at once, which a server with a grace period forgives.
type FileStore struct{ path string }

// NewFileStore returns a FileStore in the file path. The directory must exist, the file need not. It does no I/O.
func NewFileStore(path string) *FileStore { return &FileStore{path: path} }

// tokenFile is the content of the file.
type tokenFile struct {
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
	ExpiresIn    int64     `json:"expires_in,omitempty"`
	IDToken      string    `json:"id_token,omitempty"`
	Scope        string    `json:"scope,omitempty"`
}

// Load returns the token in the file, or nil if the file does not exist or is empty.
func (s *FileStore) Load(context.Context) (*oauth2.Token, error) {
	file, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", s.path, maxFile)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	token, err := decodeTokenFile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return token, nil
}

func decodeTokenFile(data []byte) (*oauth2.Token, error) {
	var f tokenFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, errors.New("not a token file") // err would quote it
	}
	if year := f.ExpiresAt.UTC().Year(); year < 1 || year > 9999 {
		return nil, errors.New("not a token file") // such a time could not be written again
	}
	token := &oauth2.Token{
		AccessToken:  f.AccessToken,
		TokenType:    f.TokenType,
		RefreshToken: f.RefreshToken,
		Expiry:       f.ExpiresAt,
		ExpiresIn:    f.ExpiresIn,
	}
	extra := make(map[string]any, 2)
	if f.IDToken != "" {
		extra["id_token"] = f.IDToken
	}
	if f.Scope != "" {
		extra["scope"] = f.Scope
	}
	return token.WithExtra(extra), nil
}

func encodeTokenFile(token *oauth2.Token) ([]byte, error) {
	f := tokenFile{
		AccessToken:  token.AccessToken,
		TokenType:    token.TokenType,
		RefreshToken: token.RefreshToken,
		ExpiresIn:    token.ExpiresIn,
	}
	if !token.Expiry.IsZero() {
		f.ExpiresAt = token.Expiry.UTC()
	}
	f.IDToken, _ = token.Extra("id_token").(string)
	f.Scope, _ = token.Extra("scope").(string)
	data, err := json.MarshalIndent(f, "", "  ")
	return append(data, '\n'), err
}

// Save replaces the file. The content is on disk when it returns, because the refresh token before is spent by then.
func (s *FileStore) Save(_ context.Context, token *oauth2.Token) error {
	data, err := encodeTokenFile(token)
	if err != nil {
		return err
	}
	return sharedfile.Replace(s.path, data)
}

// Lock waits until no other FileStore of the same path, in this process or another, has the lock, or until ctx ends.
func (s *FileStore) Lock(ctx context.Context) (func(), error) {
	return sharedfile.Lock(ctx, s.path+".lock")
}
