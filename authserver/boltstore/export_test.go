package boltstore

import (
	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
)

// Write lets tests of commits run mutations of their own.
var Write = (*Store).write

// Commits returns how many transactions were ever committed.
func (s *Store) Commits() (n int) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		n = tx.ID()
		return nil
	})
	return n
}

// AdvanceAlone is Advance in a commit of its own.
func (s *Store) AdvanceAlone(step authserver.Step) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		refusal, failure := advanceGrant(tx, step)
		if refusal != nil {
			return refusal
		}
		return failure
	})
}

// AdvanceBatch is Advance through bbolt's own Batch, which waits up to 10 ms for others.
func (s *Store) AdvanceBatch(step authserver.Step) error {
	var refusal error
	err := s.db.Batch(func(tx *bbolt.Tx) (failure error) {
		refusal, failure = advanceGrant(tx, step)
		return failure
	})
	if err != nil {
		return err
	}
	return refusal
}
