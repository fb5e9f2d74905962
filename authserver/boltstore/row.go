package boltstore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
)

// The buckets. Indexes hold length ‖ name ‖ grant id, those by time hold time ‖ id. An entry of the revoked ones has as its value when
// the last access token ends; nothing changes in a row that is revoked.
var (
	bucketGrants   = []byte("grants")
	bucketSubject  = []byte("by subject")
	bucketClient   = []byte("by client")
	bucketSession  = []byte("by session")
	bucketDue      = []byte("grants by end")
	bucketRevoked  = []byte("revoked")
	bucketOnce     = []byte("once")
	bucketOnceDue  = []byte("once by end")
	bucketSigning  = []byte("signing keys")
	buckets        = [][]byte{bucketGrants, bucketSubject, bucketClient, bucketSession, bucketDue, bucketRevoked, bucketOnce, bucketOnceDue, bucketSigning}
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)
	checksumLength = 4
)

// seal puts a checksum in front: bbolt has none for its data, and a flipped bit in a generation must not look like a stolen token.
func seal(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli)), data...)
}

func unseal(value []byte) ([]byte, error) {
	if len(value) < checksumLength {
		return nil, fmt.Errorf("%w: a row is too short", ErrDamaged)
	}
	data := value[checksumLength:]
	if binary.BigEndian.Uint32(value) != crc32.Checksum(data, castagnoli) {
		return nil, fmt.Errorf("%w: the checksum of a row is wrong", ErrDamaged)
	}
	return data, nil
}

// get reads a row; what it returns is not part of the mapped file.
func get(tx *bbolt.Tx, id string) (authserver.Grant, error) {
	var g authserver.Grant
	value := tx.Bucket(bucketGrants).Get([]byte(id))
	if value == nil {
		return g, authserver.ErrNotFound
	}
	data, err := unseal(value)
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal(data, &g); err != nil {
		return g, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return g, nil
}

// put writes a row and its index entries; old is the row as it was, nil for a new one. Only the end can change afterwards.
func put(tx *bbolt.Tx, g, old *authserver.Grant) error {
	data, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	if err := tx.Bucket(bucketGrants).Put([]byte(g.ID), seal(data)); err != nil {
		return err
	}
	due := tx.Bucket(bucketDue)
	if old == nil {
		for _, e := range indexEntries(g) {
			if err := tx.Bucket(e.bucket).Put(e.key, nil); err != nil {
				return err
			}
		}
	} else if err := due.Delete(dueKey(old.DisposableAt(), old.ID)); err != nil {
		return err
	}
	if err := due.Put(dueKey(g.DisposableAt(), g.ID), nil); err != nil {
		return err
	}
	return noteRevoked(tx, g)
}

// noteRevoked enters a row that is revoked in the index of those.
func noteRevoked(tx *bbolt.Tx, g *authserver.Grant) error {
	if g.RevokedAt.IsZero() {
		return nil
	}
	return tx.Bucket(bucketRevoked).Put(dueKey(g.RevokedAt, g.ID), dueKey(g.AccessExpiresAt, ""))
}

// remove deletes a row and its index entries.
func remove(tx *bbolt.Tx, g *authserver.Grant) error {
	for _, e := range append(indexEntries(g), entry{bucketDue, dueKey(g.DisposableAt(), g.ID)}, entry{bucketRevoked, dueKey(g.RevokedAt, g.ID)},
		entry{bucketGrants, []byte(g.ID)}) {
		if err := tx.Bucket(e.bucket).Delete(e.key); err != nil {
			return err
		}
	}
	return nil
}

type entry struct{ bucket, key []byte }

func indexEntries(g *authserver.Grant) []entry {
	return []entry{{bucketSubject, indexKey(g.Subject, g.ID)}, {bucketClient, indexKey(g.ClientID, g.ID)},
		{bucketSession, indexKey(g.SessionID, g.ID)}}
}

// indexKey begins with the length of the name, so that a name with a zero byte is no prefix of another.
func indexKey(name, id string) []byte {
	key := binary.BigEndian.AppendUint32(nil, uint32(len(name))) //nolint:gosec // names are far shorter
	return append(append(key, name...), id...)
}

// dueKey sorts by time. The milliseconds are offset so that times before 1970 sort right too.
func dueKey(t time.Time, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())^(1<<63)), id...)
}

func dueTime(key []byte) (time.Time, string) {
	ms := int64(binary.BigEndian.Uint64(key) ^ (1 << 63)) //nolint:gosec // dueKey the other way round
	return time.UnixMilli(ms).UTC(), string(key[8:])
}
