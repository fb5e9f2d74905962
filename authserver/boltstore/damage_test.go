package boltstore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
)

func TestDamagedFilesAreRejectedUnchanged(t *testing.T) {
	db := func(dir string) string { return filepath.Join(dir, "bearergate.db") }
	keys := func(dir string) string { return filepath.Join(dir, "refresh.keys") }
	edit := func(path func(string) string, f func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(path(dir))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path(dir), f(data), 0o600))
		}
	}
	for _, row := range []struct {
		name   string
		damage func(*testing.T, string)
		want   error
	}{
		{"the database is text", edit(db, func([]byte) []byte { return []byte("not a database") }), boltstore.ErrDamaged},
		{"the database is all zero", edit(db, func(b []byte) []byte { return make([]byte, len(b)) }), boltstore.ErrDamaged},
		{"both meta pages are overwritten", edit(db, func(b []byte) []byte {
			clear(b[16:8192])
			return b
		}), boltstore.ErrDamaged},
		{"the database is cut off", edit(db, func(b []byte) []byte { return b[:3*4096] }), boltstore.ErrDamaged},
		{"pages are overwritten", edit(db, func(b []byte) []byte {
			for i := 2 * 4096; i < len(b); i++ {
				b[i] = 0xAA
			}
			return b
		}), boltstore.ErrDamaged},
		{"one bit of a row is flipped", edit(db, func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"gen":1`), []byte(`"gen":3`))
		}), boltstore.ErrDamaged},
		{"the key file is empty", edit(keys, func([]byte) []byte { return nil }), boltstore.ErrDamaged},
		{"the key file is not base64", edit(keys, func([]byte) []byte { return []byte("secret\n") }), boltstore.ErrDamaged},
		{"a key is short", edit(keys, func([]byte) []byte { return []byte("AAAA\n") }), boltstore.ErrDamaged},
		{"the key file is gone", func(t *testing.T, dir string) { require.NoError(t, os.Remove(keys(dir))) }, os.ErrNotExist},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := boltstore.Open(dir)
			require.NoError(t, err)
			for _, id := range []string{"a", "b", "c"} {
				require.NoError(t, s.Create(t.Context(), grant(id)))
			}
			require.NoError(t, s.Close())
			row.damage(t, dir)
			before, err := os.ReadFile(db(dir))
			require.NoError(t, err)
			_, err = boltstore.Open(dir)
			require.ErrorIs(t, err, row.want)
			assert.ErrorContains(t, err, dir, "the error names the file")
			after, err := os.ReadFile(db(dir))
			require.NoError(t, err)
			assert.True(t, bytes.Equal(before, after), "the file is unchanged")
		})
	}
}

// A file of a release without the index of revoked grants gets that index when it is opened.
func TestOpenAddsMissingIndex(t *testing.T) {
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	begin := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var want []authserver.Revocation
	for i, id := range []string{"b", "a", "active"} {
		g := authserver.Grant{ID: id, ClientID: "c", Subject: "s", Generation: 1, CreatedAt: begin,
			ExpiresAt: begin.Add(time.Hour), IdleExpiresAt: begin.Add(time.Hour), AccessExpiresAt: begin.Add(10 * time.Minute)}
		require.NoError(t, s.Create(t.Context(), g))
		if id != "active" {
			at := begin.Add(time.Duration(i) * time.Second)
			_, err = s.Revoke(t.Context(), authserver.Selector{ID: id}, "user", at)
			require.NoError(t, err)
			want = append(want, authserver.Revocation{ID: id, At: at, AccessExpiresAt: g.AccessExpiresAt})
		}
	}
	require.NoError(t, s.Close())
	db, err := bbolt.Open(filepath.Join(dir, "bearergate.db"), 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("revoked")) }))
	require.NoError(t, db.Close())

	for range 2 {
		s, err = boltstore.Open(dir)
		require.NoError(t, err)
		got, err := s.Revoked(t.Context(), time.Time{}, "", begin, 0)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		n, err := s.Sweep(t.Context(), begin.Add(time.Minute), 10)
		require.NoError(t, err)
		assert.Zero(t, n, "their access tokens may still be accepted")
		require.NoError(t, s.Close())
	}
}

// Open does not notice a damaged index entry. A call that reads it gets an error, and the process survives.
func TestDamagedIndexIsAnError(t *testing.T) {
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	db, err := bbolt.Open(filepath.Join(dir, "bearergate.db"), 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		for _, index := range []string{"revoked", "grants by end"} {
			if err := tx.Bucket([]byte(index)).Put([]byte{0xff}, nil); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, db.Close())
	s = open(t, dir)
	_, err = s.Revoked(t.Context(), time.UnixMilli(0), "", time.UnixMilli(0), 0)
	assert.ErrorContains(t, err, "boltstore: internal error: panic")
	_, err = s.Sweep(t.Context(), time.UnixMilli(0), 1)
	assert.ErrorContains(t, err, "boltstore: internal error: panic")
	_, err = s.Grant(t.Context(), "other")
	assert.ErrorIs(t, err, authserver.ErrNotFound)
}
