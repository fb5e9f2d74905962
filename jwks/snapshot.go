package jwks

import (
	"fmt"

	"github.com/bearergate/bearergate/internal/weburl"
)

// snapshot is a key set at one moment. It never changes, so that it is read without a lock.
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
		// A token without kid finds a key only if it is the only one that fits: trying one after the other would let
		// anybody buy as many verifications with one token as there are keys.
		switch {
		case len(fitting) == 1:
			s.index[selector{"", alg}] = fitting
		case len(fitting) > 1:
			s.ambiguous[alg] = true
		}
	}
	for _, k := range keys {
		s.kids[k.id] = true
	}
	return s
}

// find returns the keys for a token, nil if there are none.
func (s *snapshot) find(kid, alg string) []*Key { return s.index[selector{kid, alg}] }

// lookup is find with the reason why there are none.
func (s *snapshot) lookup(kid, alg string) ([]*Key, error) {
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

// ruledOut says why a fresh fetch could not bring a key for this token, nil if it might.
func (s *snapshot) ruledOut(kid, alg string) error {
	switch {
	case kid == "" && s.ambiguous[alg]:
		return fmt.Errorf("%w: the token names no kid and several keys fit alg %q", ErrKeyNotFound, alg)
	case kid != "" && s.kids[kid]:
		return fmt.Errorf("%w: key %q does not fit alg %q", ErrKeyNotFound, weburl.Clip(kid, maxText), alg)
	}
	return nil
}

// checkAlgorithm refuses what no key could ever be found for, before anything is asked for.
func checkAlgorithm(alg string) error {
	if !Supported(alg) {
		return fmt.Errorf("%w: unsupported alg %q", ErrKeyNotFound, weburl.Clip(alg, maxText))
	}
	return nil
}

func notFound(kid string) error {
	if kid == "" {
		return fmt.Errorf("%w: the token names no kid and no key fits", ErrKeyNotFound)
	}
	return fmt.Errorf("%w: kid %q", ErrKeyNotFound, weburl.Clip(kid, maxText))
}
