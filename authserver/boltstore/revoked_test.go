package boltstore_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
)

// TestFileWithoutListOfRevocations: one that was written before there was that index gets it when it is opened.
func TestFileWithoutListOfRevocations(t *testing.T) {
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	begin := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var want []authserver.Revocation
	for i, id := range []string{"b", "a", "alive"} {
		g := authserver.Grant{ID: id, ClientID: "c", Subject: "s", CreatedAt: begin, ExpiresAt: begin.Add(time.Hour), IdleExpiresAt: begin.Add(time.Hour),
			Generation: 1, AccessExpiresAt: begin.Add(10 * time.Minute)}
		require.NoError(t, s.Create(t.Context(), g))
		if id != "alive" {
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

// TestDamagedIndex: Open can't tell that an entry of an index makes no sense. Whoever comes across it gets an error, and the process lives.
func TestDamagedIndex(t *testing.T) {
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
