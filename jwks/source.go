package jwks

import (
	"context"
	"errors"
	"fmt"

	"github.com/bearergate/bearergate/internal/weburl"
)

// KeySource holds the keys of one issuer, for a validator. [Remote], [Set] and [Rotator] are three, and [FromKeyfunc]
// makes another.
//
// What a source returns must never be used for a token of another issuer.
type KeySource interface {
	// Lookup returns the keys that may verify a token whose header names kid ("" if it names none) and alg. They are
	// already selected by kid, key type, curve, size, and the key's own alg, use and key_ops. That is nearly always one
	// key. It is several if an issuer publishes several under one kid, and never none with a nil error.
	//
	// Errors: ErrKeyNotFound, ErrUnavailable or ctx's own error, all wrapped. The slice and its keys are shared and
	// must not be changed.
	Lookup(ctx context.Context, kid, alg string) ([]*Key, error)
}

var (
	// ErrKeyNotFound means that the key set is at hand and holds no key that could verify the token. The token is at
	// fault: a resource server answers 401.
	ErrKeyNotFound = errors.New("jwks: key not found")

	// ErrUnavailable means that the keys can't be had now. The token may be fine: a resource server answers 503, never
	// 401.
	ErrUnavailable = errors.New("jwks: keys unavailable")
)

// maxText is how many bytes of a foreign text an error repeats.
const maxText = 64

// checkAlgorithm refuses what no key could ever be found for, before anybody is asked.
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

// errAmbiguous is for a token without kid that several keys fit.
func errAmbiguous(alg string) error {
	return fmt.Errorf("%w: the token names no kid and several keys fit alg %q", ErrKeyNotFound, alg)
}

// unavailable wraps cause in ErrUnavailable unless it is already.
func unavailable(cause error) error {
	if errors.Is(cause, ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, cause)
}
