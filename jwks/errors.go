package jwks

import "errors"

var (
	// ErrKeyNotFound says that the key set is fresh and holds no key that could verify the token: the token is at fault.
	ErrKeyNotFound = errors.New("jwks: key not found")

	// ErrUnavailable says that the keys cannot be had now: the token may be fine, so a resource server answers 503, never 401.
	ErrUnavailable = errors.New("jwks: keys unavailable")
)
