package jwks

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Set is a fixed set of keys: for tests, for offline use, for an issuer whose keys come by another way than HTTP. It
// never changes and is safe for concurrent use.
type Set struct {
	snapshot *snapshot
	skipped  []Skipped
}

// NewSet makes a Set of one or more keys. Several may share a kid, at most 8.
func NewSet(keys ...*Key) (*Set, error) {
	if len(keys) == 0 {
		return nil, errors.New("jwks: a set needs a key")
	}
	var set []*Key
	perKID := map[string]int{}
	for i, k := range keys {
		if k == nil || k.public == nil {
			return nil, fmt.Errorf("jwks: key %d of the set was not made by NewKey", i)
		}
		var err error
		if set, err = addKey(set, k, perKID); err != nil {
			return nil, fmt.Errorf("jwks: key %q: %w", k.id, err)
		}
	}
	return &Set{snapshot: newSnapshot(set)}, nil
}

// Parse reads a key set document (RFC 7517, section 5), by the rules of [Remote]: a key that cannot be used is skipped
// alone and told by Skipped; a document without one usable key is an error that says why.
func Parse(document []byte) (*Set, error) {
	keys, skipped, err := parseDocument(document)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return &Set{snapshot: newSnapshot(keys), skipped: skipped}, nil
}

// Lookup implements [KeySource]. It fails only with ErrKeyNotFound.
func (s *Set) Lookup(_ context.Context, kid, alg string) ([]*Key, error) {
	return s.snapshot.lookup(kid, alg)
}

// Keys lists the keys in the order they were given.
func (s *Set) Keys() []*Key { return slices.Clone(s.snapshot.keys) }

// Skipped lists what Parse left out, and why.
func (s *Set) Skipped() []Skipped { return slices.Clone(s.skipped) }

// MarshalJSON writes the set as a key set document that [Parse] reads.
func (s *Set) MarshalJSON() ([]byte, error) { return formatDocument(s.snapshot.keys) }
