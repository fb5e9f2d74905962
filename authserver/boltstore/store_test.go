package boltstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
	"github.com/bearergate/bearergate/authserver/storetest"
	"github.com/bearergate/bearergate/jwks"
)

func open(t *testing.T, dir string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) authserver.Store { return open(t, t.TempDir()) })
}

func grant(id string) authserver.Grant {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return authserver.Grant{ID: id, Salt: []byte("0123456789abcdef"), ClientID: "c", Subject: "s", Refresh: true,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), IdleExpiresAt: now.Add(time.Hour), Generation: 1}
}

func TestReopeningKeepsEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	g := grant("a")
	require.NoError(t, s.Create(t.Context(), g))
	require.NoError(t, s.Advance(t.Context(), authserver.Step{ID: "a", From: 1, To: 2, Now: g.CreatedAt}))
	require.NoError(t, s.Once(t.Context(), "key", g.CreatedAt, g.ExpiresAt))
	require.NoError(t, s.SaveKeys(t.Context(), []byte("keys"), ""))
	keys := s.RefreshKeys()
	require.Len(t, keys, 1)
	assert.Len(t, keys[0], 32)
	require.NoError(t, s.Close())
	_, err = s.Grant(t.Context(), "a")
	assert.Error(t, err, "closed")

	again := open(t, dir)
	assert.Equal(t, keys, again.RefreshKeys())
	got, err := again.Grant(t.Context(), "a")
	require.NoError(t, err)
	assert.EqualValues(t, 2, got.Generation)
	assert.ErrorIs(t, again.Once(t.Context(), "key", g.CreatedAt, g.ExpiresAt), authserver.ErrConflict)
	state, version, err := again.LoadKeys(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "keys", string(state))
	assert.NotEmpty(t, version)

	for _, name := range []string{"bearergate.db", "refresh.keys"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "bearergate.db"))
	require.NoError(t, err)
	assert.False(t, bytes.Contains(raw, keys[0]), "the key of refresh tokens is not in the database")
}

func TestKeyStore(t *testing.T) {
	storetest.RunKeys(t, func(t *testing.T) jwks.KeyStore { return open(t, t.TempDir()) })
}

func TestRotatorKeepsKeysAcrossRestart(t *testing.T) {
	dir := t.TempDir()
	kid := func() string {
		s, err := boltstore.Open(dir)
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		r, err := jwks.NewRotator(jwks.RotatorConfig{Store: s})
		require.NoError(t, err)
		token, err := r.Sign(t.Context(), "JWT", map[string]any{})
		require.NoError(t, err)
		return strings.Split(token, ".")[0] // the header, with the kid
	}
	assert.Equal(t, kid(), kid())
}

func TestSealedSigningKeysAreNotInTheFile(t *testing.T) {
	// databaseOf stores signing keys and returns the bytes of the database file.
	databaseOf := func(wrap func(jwks.KeyStore) jwks.KeyStore) string {
		dir := t.TempDir()
		r, err := jwks.NewRotator(jwks.RotatorConfig{Store: wrap(open(t, dir))})
		require.NoError(t, err)
		require.NoError(t, r.Ready(t.Context()))
		raw, err := os.ReadFile(filepath.Join(dir, "bearergate.db"))
		require.NoError(t, err)
		return string(raw)
	}
	const member = `"pkcs8"` // holds a private key
	assert.True(t, strings.Contains(databaseOf(func(s jwks.KeyStore) jwks.KeyStore { return s }), member))
	assert.False(t, strings.Contains(databaseOf(func(s jwks.KeyStore) jwks.KeyStore {
		sealed, err := jwks.NewSealedKeyStore(s, make([]byte, 32))
		require.NoError(t, err)
		return sealed
	}), member))
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := boltstore.Open(dir)
	assert.ErrorIs(t, err, boltstore.ErrInUse)
	assert.ErrorContains(t, err, dir)
}

func TestReadableKeyFileIsRejected(t *testing.T) {
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(filepath.Join(dir, "refresh.keys"), 0o644))
	_, err = boltstore.Open(dir)
	assert.ErrorContains(t, err, "0600")
}

func TestAddedRefreshKeySignsFirst(t *testing.T) {
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	old := s.RefreshKeys()[0]
	require.NoError(t, s.Close())
	path := filepath.Join(dir, "refresh.keys")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append([]byte(strings.Repeat("B", 43)+"=\n\n"), text...), 0o600))
	keys := open(t, dir).RefreshKeys()
	require.Len(t, keys, 2)
	assert.Equal(t, old, keys[1])
}

func TestPathThatIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := boltstore.Open(file)
	assert.Error(t, err)
	_, err = boltstore.Open(filepath.Join(file, "below"))
	assert.Error(t, err)
	assert.False(t, errors.Is(err, boltstore.ErrDamaged))
}

func TestPrintingShowsNoKey(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "data"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		assert.Equal(t, "boltstore.Store", fmt.Sprintf(verb, s), verb)
	}
}
