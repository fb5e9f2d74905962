package boltstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
)

// The buckets. Keys of the indexes by subject, client and session are length ‖ name ‖ grant ID. Keys of those by time
// are time ‖ ID. The value in "revoked" is the end of the grant's last access token; a revoked row never changes again.
var (
	bucketGrants      = []byte("grants")
	bucketBySubject   = []byte("by subject")
	bucketByClient    = []byte("by client")
	bucketBySession   = []byte("by session")
	bucketGrantsByEnd = []byte("grants by end")
	bucketRevoked     = []byte("revoked")
	bucketOnce        = []byte("once")
	bucketOnceByEnd   = []byte("once by end")
	bucketSigningKeys = []byte("signing keys")

	buckets = [][]byte{
		bucketGrants, bucketBySubject, bucketByClient, bucketBySession, bucketGrantsByEnd, bucketRevoked, bucketOnce,
		bucketOnceByEnd, bucketSigningKeys,
	}
)

// createBuckets creates the buckets of a new file, and those that a file of an earlier release lacks.
func createBuckets(db *bbolt.DB) error {
	complete := true
	err := db.View(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			complete = complete && tx.Bucket(name) != nil
		}
		return nil
	})
	if err != nil || complete {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		hasRevoked := tx.Bucket(bucketRevoked) != nil
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if hasRevoked {
			return nil
		}
		return tx.Bucket(bucketGrants).ForEach(func(id, _ []byte) error {
			g, err := getGrant(tx, string(id))
			if err != nil {
				return err
			}
			return indexRevoked(tx, &g)
		})
	})
	if err != nil {
		return fmt.Errorf("boltstore: creating buckets: %w", err)
	}
	return nil
}

// getGrant reads a row. What it returns shares no memory with the mapped file.
func getGrant(tx *bbolt.Tx, id string) (authserver.Grant, error) {
	var g authserver.Grant
	value := tx.Bucket(bucketGrants).Get([]byte(id))
	if value == nil {
		return g, authserver.ErrNotFound
	}
	data, err := removeChecksum(value)
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal(data, &g); err != nil {
		return g, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return g, nil
}

// putGrant writes a row and its index entries. old is the row as it was, or nil for a new one. Of what is indexed, only
// the end and the revocation can change.
func putGrant(tx *bbolt.Tx, g, old *authserver.Grant) error {
	data, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("boltstore: %w", err)
	}
	if err := tx.Bucket(bucketGrants).Put([]byte(g.ID), addChecksum(data)); err != nil {
		return err
	}
	byEnd := tx.Bucket(bucketGrantsByEnd)
	if old == nil {
		for _, e := range nameEntries(g) {
			if err := tx.Bucket(e.bucket).Put(e.key, nil); err != nil {
				return err
			}
		}
	} else if err := byEnd.Delete(timeKey(old.DisposableAt(), old.ID)); err != nil {
		return err
	}
	if err := byEnd.Put(timeKey(g.DisposableAt(), g.ID), nil); err != nil {
		return err
	}
	return indexRevoked(tx, g)
}

// indexRevoked adds a row to the index of revoked ones, if it is revoked.
func indexRevoked(tx *bbolt.Tx, g *authserver.Grant) error {
	if g.RevokedAt.IsZero() {
		return nil
	}
	return tx.Bucket(bucketRevoked).Put(timeKey(g.RevokedAt, g.ID), timeKey(g.AccessExpiresAt, ""))
}

// deleteGrant deletes a row and its index entries.
func deleteGrant(tx *bbolt.Tx, g *authserver.Grant) error {
	entries := append(nameEntries(g),
		entry{bucketGrantsByEnd, timeKey(g.DisposableAt(), g.ID)},
		entry{bucketRevoked, timeKey(g.RevokedAt, g.ID)},
		entry{bucketGrants, []byte(g.ID)})
	for _, e := range entries {
		if err := tx.Bucket(e.bucket).Delete(e.key); err != nil {
			return err
		}
	}
	return nil
}

// matchingGrants reads the rows that match, by the index that names the fewest.
func matchingGrants(tx *bbolt.Tx, sel authserver.Selector) ([]authserver.Grant, error) {
	var ids []string
	list := func(index []byte, name string) {
		prefix := nameKey(name, "")
		c := tx.Bucket(index).Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			ids = append(ids, string(k[len(prefix):]))
		}
	}
	switch {
	case sel.ID != "":
		ids = []string{sel.ID}
	case sel.SessionID != "":
		list(bucketBySession, sel.SessionID)
	case sel.Subject != "":
		list(bucketBySubject, sel.Subject)
	default:
		list(bucketByClient, sel.ClientID)
	}
	var found []authserver.Grant
	for _, id := range ids {
		g, err := getGrant(tx, id)
		if errors.Is(err, authserver.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sel.Match(&g) {
			found = append(found, g)
		}
	}
	return found, nil
}

// entry is a key in an index.
type entry struct{ bucket, key []byte }

// nameEntries returns the entries of the indexes by subject, client and session.
func nameEntries(g *authserver.Grant) []entry {
	return []entry{
		{bucketBySubject, nameKey(g.Subject, g.ID)}, {bucketByClient, nameKey(g.ClientID, g.ID)},
		{bucketBySession, nameKey(g.SessionID, g.ID)},
	}
}

// nameKey begins with the length of the name, so that a name with a zero byte is no prefix of another.
func nameKey(name, id string) []byte {
	key := binary.BigEndian.AppendUint32(nil, uint32(len(name))) //nolint:gosec // names are far shorter
	return append(append(key, name...), id...)
}

// timeKey sorts by time. The milliseconds have an offset, so that times before 1970 sort right too.
func timeKey(t time.Time, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())^(1<<63)), id...)
}

func parseTimeKey(key []byte) (time.Time, string) {
	ms := int64(binary.BigEndian.Uint64(key) ^ (1 << 63)) //nolint:gosec // the inverse of timeKey
	return time.UnixMilli(ms).UTC(), string(key[8:])
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumLength = 4

// addChecksum prepends a checksum. bbolt has none for its data, and a flipped bit in a generation must not look like a
// stolen token.
func addChecksum(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli)), data...)
}

func removeChecksum(value []byte) ([]byte, error) {
	if len(value) < checksumLength {
		return nil, fmt.Errorf("%w: a row has %d bytes, fewer than its checksum", ErrDamaged, len(value))
	}
	data := value[checksumLength:]
	if binary.BigEndian.Uint32(value) != crc32.Checksum(data, castagnoli) {
		return nil, fmt.Errorf("%w: the checksum of a row is wrong", ErrDamaged)
	}
	return data, nil
}
