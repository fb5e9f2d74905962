package jwks

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bearergate/bearergate/internal/weburl"
)

// Set is a fixed set of keys: for tests, for offline use, for an issuer whose keys come by another way than HTTP. It
// never changes and is safe for concurrent use.
type Set struct {
	snapshot *snapshot
	skipped  []Skipped
}

// NewSet returns a Set of one or more keys. At most 8 may share a kid.
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

// Parse reads a key set document (RFC 7517, Section 5) by the rules of [Remote]: a key that can't be used is skipped
// alone, see [Set.Skipped]. A document without one usable key is an error that says why.
func Parse(document []byte) (*Set, error) {
	keys, skipped, err := parseDocument(document)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return &Set{snapshot: newSnapshot(keys), skipped: skipped}, nil
}

// Lookup implements [KeySource]. Its only error is ErrKeyNotFound.
func (s *Set) Lookup(_ context.Context, kid, alg string) ([]*Key, error) {
	return s.snapshot.lookUp(kid, alg)
}

// Keys returns the keys in the order they were given.
func (s *Set) Keys() []*Key { return slices.Clone(s.snapshot.keys) }

// Skipped returns the keys that Parse left out, and why.
func (s *Set) Skipped() []Skipped { return slices.Clone(s.skipped) }

// MarshalJSON returns the key set document that [Parse] reads.
func (s *Set) MarshalJSON() ([]byte, error) { return formatDocument(s.snapshot.keys) }

// snapshot is a key set at one moment. It never changes, so it is read without a lock.
type snapshot struct {
	keys      []*Key
	index     map[selector][]*Key
	kids      map[string]bool
	ambiguous map[string]bool // algorithms for which several keys fit a token without kid
}

// selector is what a token's header says of its key.
type selector struct{ kid, alg string }

func newSnapshot(keys []*Key) *snapshot {
	s := &snapshot{keys: keys, index: map[selector][]*Key{}, kids: map[string]bool{}, ambiguous: map[string]bool{}}
	for _, k := range keys {
		s.kids[k.id] = true
	}
	for alg := range algorithms {
		var fitting []*Key
		for _, k := range keys {
			if !k.Fits(alg) {
				continue
			}
			fitting = append(fitting, k)
			if k.id != "" {
				s.index[selector{k.id, alg}] = append(s.index[selector{k.id, alg}], k)
			}
		}
		// A token without kid finds a key only if no other fits. Trying one after the other would let anybody buy as
		// many verifications with one token as there are keys.
		fitting = preferOwnName(fitting, alg)
		if len(fitting) == 1 {
			s.index[selector{"", alg}] = fitting
		}
		s.ambiguous[alg] = len(fitting) > 1
	}
	return s
}

// preferOwnName drops keys that are published for the other name of alg, EdDSA or Ed25519, if one is published for alg
// itself. An issuer that publishes its key under both names has two keys that fit, but only one of them for each token.
func preferOwnName(fitting []*Key, alg string) []*Key {
	if !slices.ContainsFunc(fitting, func(k *Key) bool { return k.algorithm == alg }) {
		return fitting
	}
	return slices.DeleteFunc(fitting, func(k *Key) bool { return k.algorithm != "" && k.algorithm != alg })
}

// find returns the keys for a token, nil if there are none.
func (s *snapshot) find(kid, alg string) []*Key { return s.index[selector{kid, alg}] }

// lookUp is find with the reason why there are none.
func (s *snapshot) lookUp(kid, alg string) ([]*Key, error) {
	if keys := s.find(kid, alg); keys != nil {
		return keys, nil
	}
	if err := checkAlgorithm(alg); err != nil {
		return nil, err
	}
	if err := s.ruledOut(kid, alg); err != nil {
		return nil, err
	}
	return nil, notFound(kid)
}

// ruledOut returns why a fresh fetch could not bring a key for this token, nil if it might.
func (s *snapshot) ruledOut(kid, alg string) error {
	switch {
	case kid == "" && s.ambiguous[alg]:
		return errAmbiguous(alg)
	case kid != "" && s.kids[kid]:
		return fmt.Errorf("%w: key %q does not fit alg %q", ErrKeyNotFound, weburl.Clip(kid, maxText), alg)
	}
	return nil
}

// retain returns fresh, each key of it replaced by the key of old that is the same. A key that a source goes on
// publishing stays the very same *Key, so that cached tokens that it verified stay valid. old may be nil.
func retain(old *snapshot, fresh []*Key) (keys, added, removed []*Key) {
	if old != nil {
		removed = slices.Clone(old.keys)
	}
	for _, k := range fresh {
		if i := slices.IndexFunc(removed, k.same); i >= 0 {
			k = removed[i]
			removed = slices.Delete(removed, i, i+1)
		} else {
			added = append(added, k)
		}
		keys = append(keys, k)
	}
	return keys, added, removed
}
