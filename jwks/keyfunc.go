package jwks

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/internal/weburl"
)

// Keyfunc returns a function for golang-jwt's parser that takes the keys from source. It returns the one key that fits
// the token, or a [jwt.VerificationKeySet] if several do.
//
// The parser has no context, so source is asked with context.Background. A [Remote] answers within 5 s even so. An
// error of the parser wraps the source's own, [ErrKeyNotFound] or [ErrUnavailable].
//
// Give the parser its algorithms with [jwt.WithValidMethods]. It does not know the name Ed25519, and it takes any
// length of salt for PS256, PS384 and PS512, where [Key.Verify] does not.
func Keyfunc(source KeySource) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if source == nil {
			return nil, fmt.Errorf("%w: the source of Keyfunc is nil", ErrUnavailable)
		}
		kid, ok := token.Header["kid"].(string)
		if _, named := token.Header["kid"]; named && !ok {
			return nil, fmt.Errorf("%w: the token's kid is not a string", ErrKeyNotFound)
		}
		alg := token.Method.Alg()
		keys, err := source.Lookup(context.Background(), kid, alg)
		if err != nil {
			return nil, err
		}
		var set jwt.VerificationKeySet
		for _, k := range keys {
			if k.Fits(alg) { // golang-jwt would take ES384 with a P-256 key
				set.Keys = append(set.Keys, k.public)
			}
		}
		switch len(set.Keys) {
		case 0:
			return nil, notFound(kid)
		case 1:
			return set.Keys[0], nil
		}
		return set, nil
	}
}

// FromKeyfunc returns a [KeySource] over a keyfunc that you run already, and over any jwkset storage beneath it. Its
// keys are checked by the rules of [NewKey] and selected by [Key.Fits]. If you start anew, use a [Remote].
//
// A key stays the same *Key as long as the storage has it. Once the storage has another key for its kid, or none,
// [Key.Current] of the old one is false after the next Lookup of that kid. A key whose alg or use keyfunc no longer
// accepts stays current, but no Lookup returns it.
//
// Errors: ErrKeyNotFound if keyfunc finds no key or none that fits, ErrUnavailable if the storage fails or holds no key
// at all, and the context's cause. There are things that keyfunc can't tell:
//
//   - When the issuer was last reached. Keys that could not be refreshed for days stay in use. While the issuer is
//     down, a token with a new kid fails with ErrKeyNotFound, not with ErrUnavailable.
//   - The alg and use of the keys, for a token without a kid. Such a token finds a key only if it is the only one in
//     the storage whose type and curve fit.
//   - That several keys share a kid. It returns one of them.
//
// jwkset's HTTP client lets a token with an unknown kid wait for a rate limit, for up to a minute by default. Set its
// RateLimitWaitMax.
//
// The source is safe for concurrent use if k is.
func FromKeyfunc(k keyfunc.Keyfunc) KeySource {
	return &keyfuncSource{keyfunc: k, keys: map[string][]*Key{}}
}

type keyfuncSource struct {
	keyfunc keyfunc.Keyfunc

	mu   sync.Mutex
	keys map[string][]*Key // by kid, as keyfunc returned them last
}

// Lookup implements [KeySource].
func (s *keyfuncSource) Lookup(ctx context.Context, kid, alg string) ([]*Key, error) {
	if err := checkAlgorithm(alg); err != nil {
		return nil, err
	}
	if s.keyfunc == nil {
		return nil, fmt.Errorf("%w: the keyfunc of FromKeyfunc is nil", ErrUnavailable)
	}
	found, err := s.ask(ctx, kid, alg)
	if err != nil {
		return nil, err
	}
	keys, err := s.replace(kid, found)
	fitting := slices.DeleteFunc(slices.Clone(keys), func(k *Key) bool { return !k.Fits(alg) })
	switch {
	case len(fitting) == 0 && err != nil:
		return nil, fmt.Errorf("%w: kid %q: %w", ErrKeyNotFound, weburl.Clip(kid, maxText), err)
	case len(fitting) == 0:
		return nil, notFound(kid)
	case kid == "" && len(fitting) > 1:
		return nil, errAmbiguous(alg)
	}
	return fitting, nil
}

// ask returns the public keys that keyfunc has for a token.
func (s *keyfuncSource) ask(ctx context.Context, kid, alg string) ([]crypto.PublicKey, error) {
	header := map[string]any{"alg": alg}
	if kid != "" {
		header["kid"] = kid
	}
	found, err := s.keyfunc.KeyfuncCtx(ctx)(&jwt.Token{Header: header})
	otherName := map[string]string{"EdDSA": "Ed25519", "Ed25519": "EdDSA"}[alg]
	if ruledOutByKeyfunc(err) && otherName != "" {
		header["alg"] = otherName // keyfunc compares the names of algorithms
		found, err = s.keyfunc.KeyfuncCtx(ctx)(&jwt.Token{Header: header})
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, fmt.Errorf("jwks: waiting for the keys: %w", context.Cause(ctx))
	case ruledOutByKeyfunc(err): // the key stays: alg is the choice of whoever sends the token
		return nil, fmt.Errorf("%w: keyfunc refuses key %q for alg %q", ErrKeyNotFound, weburl.Clip(kid, maxText), alg)
	case errors.Is(err, jwkset.ErrKeyNotFound) && !s.empty(ctx):
		_, _ = s.replace(kid, nil) // no key, so none can be unusable
		return nil, notFound(kid)
	default:
		return nil, unavailable(err)
	}
	switch found := found.(type) {
	case jwt.VerificationKeySet:
		if len(found.Keys) == 0 {
			return nil, fmt.Errorf("%w: the storage is empty", ErrUnavailable)
		}
		keys := make([]crypto.PublicKey, 0, len(found.Keys))
		for _, k := range found.Keys {
			keys = append(keys, k)
		}
		return keys, nil
	default:
		return []crypto.PublicKey{found}, nil
	}
}

// ruledOutByKeyfunc reports whether the storage has a key with this kid but keyfunc refuses it for its alg or use. Such
// an error wraps nothing but ErrKeyfunc, while an error of the storage is joined to it.
func ruledOutByKeyfunc(err error) bool {
	return errors.Unwrap(err) == keyfunc.ErrKeyfunc //nolint:errorlint // the whole chain is what is asked about
}

// empty reports whether the storage has no keys or can't be read. A set that was never fetched is empty: then the
// issuer's outage is not the token's fault.
func (s *keyfuncSource) empty(ctx context.Context) bool {
	all, err := s.keyfunc.VerificationKeySet(ctx)
	return err != nil || len(all.Keys) == 0
}

// replace makes Keys of what keyfunc returned for kid. A key that is the same again stays the same *Key, and one that
// is gone is dropped. The error says why one of those that were found is unusable; the others are returned all the
// same.
func (s *keyfuncSource) replace(kid string, found []crypto.PublicKey) (keys []*Key, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.keys[kid]
	for _, public := range found {
		if i := slices.IndexFunc(before, func(k *Key) bool { return equalKeys(k.public, public) }); i >= 0 {
			keys = append(keys, before[i])
			continue
		}
		k, invalid := newKey(kid, "", public)
		if invalid != nil {
			err = invalid
			continue
		}
		keys = append(keys, k)
	}
	for _, k := range before {
		if !slices.Contains(keys, k) {
			k.drop()
		}
	}
	if s.keys[kid] = keys; keys == nil {
		delete(s.keys, kid)
	}
	return keys, err
}
