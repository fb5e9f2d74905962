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
	"path/filepath"
	"time"

	"golang.org/x/oauth2"
)

const maxFile = 1 << 20 // bytes of a token file that are read

// FileStore is a [Store] in one file, which several processes may share: a JSON object with the members access_token,
// token_type, refresh_token, expires_at (RFC 3339, UTC), expires_in, id_token and scope. Only the owner may read it (mode
// 0600). It is replaced as a whole, by a rename, so that nobody ever reads half of it. Make it with [NewFileStore].
//
// The lock is a second file beside it, its name with ".lock" after it, which stays there. Where the system has flock(2) the
// lock ends with the process that holds it. Elsewhere, on Windows for one, the file is there only while it is locked, and
// one that is older than two minutes is taken to be left behind. A network file system may not honour either; then two
// processes may refresh at once, which a server with a grace period forgives.
type FileStore struct{ path string }

// NewFileStore returns a FileStore in the file path. The file need not exist, its directory must. Nothing is opened yet.
func NewFileStore(path string) *FileStore { return &FileStore{path: path} }

// tokenFile is what the file holds.
type tokenFile struct {
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
	ExpiresIn    int64     `json:"expires_in,omitempty"`
	IDToken      string    `json:"id_token,omitempty"`
	Scope        string    `json:"scope,omitempty"`
}

// Load reads the file. A file that does not exist or is empty has no token.
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
		return nil, errors.New("not a token file") // err quotes it
	}
	if year := f.ExpiresAt.UTC().Year(); year < 1 || year > 9999 {
		return nil, errors.New("not a token file") // no such time could be written again
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

// Save replaces the file and has it written to disk before it returns: the refresh token before this one is spent.
func (s *FileStore) Save(_ context.Context, token *oauth2.Token) error {
	data, err := encodeTokenFile(token)
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(s.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), s.path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // it holds a token
		return err
	}
	// The name is on disk once its directory is. Not every system can do that, and the token is in the file anyway.
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// Lock waits until no other FileStore of the same path, in this process or another, has the lock, or until ctx ends.
func (s *FileStore) Lock(ctx context.Context) (func(), error) {
	return lockFile(ctx, s.path+".lock")
}
