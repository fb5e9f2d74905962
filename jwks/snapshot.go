package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/internal/weburl"
)

// snapshot is a key set at one moment. It never changes, so that it is read without a lock.
//
// keyfunc selects, but not on every token: asking it takes most of a microsecond and nine allocations, some thirty times as
// much as the rest of a lookup (BenchmarkLookup), and its answer for a kid and an alg is always the same in one snapshot. So it is
// asked once for each pair that can succeed, when the snapshot is made.
type snapshot struct {
	keys      []*Key
	index     map[selector][]*Key
	kids      map[string]bool
	ambiguous map[string]bool // algorithms for which several keys fit a token without kid
}

// selector is what a token's header says of its key.
type selector struct{ kid, alg string }

func newSnapshot(entries []entry) *snapshot {
	s := &snapshot{index: map[selector][]*Key{}, kids: map[string]bool{}, ambiguous: map[string]bool{}}
	var layers []*layer
	next := map[string]int{} // for each kid, the layer that its next key goes to
	for _, e := range entries {
		s.keys = append(s.keys, e.key)
		s.kids[e.key.id] = true
		n := next[e.key.id]
		if n == len(layers) {
			layers = append(layers, newLayer())
		}
		layers[n].entries[e.key.id] = e
		next[e.key.id] = n + 1
	}
	for kid := range s.kids {
		for alg := range algorithms {
			if kid == "" {
				continue
			}
			for _, l := range layers[:next[kid]] {
				if k := l.selectKey(kid, alg); k != nil {
					s.index[selector{kid, alg}] = append(s.index[selector{kid, alg}], k)
				}
			}
		}
	}
	s.indexWithoutKid()
	return s
}

// indexWithoutKid lets a token without kid find a key only if it is the only one that fits: trying one after the other
// would let anybody buy as many verifications with one token as there are keys.
func (s *snapshot) indexWithoutKid() {
	for alg := range algorithms {
		var fitting []*Key
		for _, k := range s.keys {
			if fit(alg, k.algorithm, k.family) {
				fitting = append(fitting, k)
			}
		}
		switch {
		case len(fitting) == 1:
			s.index[selector{"", alg}] = fitting
		case len(fitting) > 1:
			s.ambiguous[alg] = true
		}
	}
}

// find returns the keys for a token, nil if there are none.
func (s *snapshot) find(kid, alg string) []*Key { return s.index[selector{kid, alg}] }

// hopeless says why a fresh fetch could not bring a key for this token, nil if it might.
func (s *snapshot) hopeless(kid, alg string) error {
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
	if _, ok := algorithms[alg]; !ok {
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

// layer is a set of keys with different kids, in the shape that keyfunc reads. keyfunc takes one key for a kid and never
// tries a second, so keys that share a kid lie in different layers. Nearly always there is just one.
type layer struct {
	entries map[string]entry
	keyfunc keyfunc.Keyfunc
}

func newLayer() *layer {
	l := &layer{entries: map[string]entry{}}
	k, err := keyfunc.New(keyfunc.Options{Ctx: context.Background(), Storage: l})
	if err != nil {
		panic("jwks: internal error: " + err.Error())
	}
	l.keyfunc = k
	return l
}

// selectKey asks keyfunc, and adds what keyfunc does not look at: key type and curve.
func (l *layer) selectKey(kid, alg string) *Key {
	e := l.entries[kid]
	if !fit(alg, e.key.algorithm, e.key.family) {
		return nil
	}
	public, err := l.keyfunc.Keyfunc(&jwt.Token{Header: map[string]any{"kid": kid, "alg": alg}})
	if err != nil || !equalKeys(e.key.public, public) {
		return nil
	}
	return e.key
}

var _ jwkset.Storage = (*layer)(nil)

var errReadOnly = errors.New("jwks: the key set cannot be changed")

func (l *layer) KeyRead(_ context.Context, kid string) (jwkset.JWK, error) {
	e, ok := l.entries[kid]
	if !ok {
		return jwkset.JWK{}, jwkset.ErrKeyNotFound
	}
	return e.jwk, nil
}

func (l *layer) KeyReadAll(context.Context) ([]jwkset.JWK, error) {
	var all []jwkset.JWK
	for _, e := range l.entries {
		all = append(all, e.jwk)
	}
	return all, nil
}

func (l *layer) KeyDelete(context.Context, string) (bool, error)      { return false, errReadOnly }
func (l *layer) KeyReplaceAll(context.Context, []jwkset.JWK) error    { return errReadOnly }
func (l *layer) KeyWrite(context.Context, jwkset.JWK) error           { return errReadOnly }
func (l *layer) JSON(context.Context) (json.RawMessage, error)        { return nil, errReadOnly }
func (l *layer) JSONPublic(context.Context) (json.RawMessage, error)  { return nil, errReadOnly }
func (l *layer) JSONPrivate(context.Context) (json.RawMessage, error) { return nil, errReadOnly }
func (l *layer) Marshal(context.Context) (jwkset.JWKSMarshal, error) {
	return jwkset.JWKSMarshal{}, errReadOnly
}
func (l *layer) JSONWithOptions(context.Context, jwkset.JWKMarshalOptions, jwkset.JWKValidateOptions) (json.RawMessage, error) {
	return nil, errReadOnly
}
func (l *layer) MarshalWithOptions(context.Context, jwkset.JWKMarshalOptions, jwkset.JWKValidateOptions) (jwkset.JWKSMarshal, error) {
	return jwkset.JWKSMarshal{}, errReadOnly
}
