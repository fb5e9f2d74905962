package boltstore

import (
	"go.etcd.io/bbolt"

	"github.com/bearergate/bearergate/authserver"
)

// Write is for the tests of shared commits.
var Write = (*Store).write

// Commits says how many transactions were ever committed.
func (s *Store) Commits() (n int) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		n = tx.ID()
		return nil
	})
	return n
}

// AdvanceAlone is Advance with a commit of its own.
func (s *Store) AdvanceAlone(step authserver.Step) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		outcome, broken := advance(tx, step)
		if outcome != nil {
			return outcome
		}
		return broken
	})
}

// AdvanceBatch is Advance by bbolt's own Batch, which waits for company; Open leaves its delay at 10 ms.
func (s *Store) AdvanceBatch(step authserver.Step) error {
	var outcome error
	err := s.db.Batch(func(tx *bbolt.Tx) (broken error) {
		outcome, broken = advance(tx, step)
		return broken
	})
	if err != nil {
		return err
	}
	return outcome
}
