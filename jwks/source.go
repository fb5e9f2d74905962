package jwks

import "context"

// KeySource is what a validator needs to know of one issuer's keys. [Remote], [Set] and [Rotator] satisfy it.
//
// A source belongs to one issuer: what it returns must never be used for a token of another.
type KeySource interface {
	// Lookup returns the keys that may verify a token whose header names kid ("" if it names none) and alg: already
	// selected by kid, key type, curve, size, the key's own alg, use and key_ops. That is nearly always one key, several
	// when an issuer publishes several under one kid, and never none with a nil error.
	//
	// It fails with ErrKeyNotFound, with ErrUnavailable or with ctx's own error, all wrapped. The slice and its keys are
	// shared and must not be changed.
	Lookup(ctx context.Context, kid, alg string) ([]*Key, error)
}
