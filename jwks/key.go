package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// Key is one public key that may verify tokens. It never changes, but for one flag that says that its source has dropped
// it. It is safe for concurrent use. Its zero value fits no algorithm.
type Key struct {
	id            string
	algorithm     string
	family        family
	signatureSize int // in bytes; every other length is a wrong signature
	public        crypto.PublicKey
	dropped       atomic.Bool
}

// NewKey makes a Key of an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey.
//
// id is its kid; it may be empty, but then only tokens without a kid find the key. algorithm is the one algorithm that
// the key may be used with (see [Supported]); empty means any that fits the key.
//
// It refuses RSA keys of less than 2048 or more than 16384 bits, curves other than P-256, P-384 and P-521, points that
// are not on their curve or of small order, and an algorithm that the key does not fit.
func NewKey(id, algorithm string, public crypto.PublicKey) (*Key, error) {
	k, err := newKey(id, algorithm, public)
	if err != nil {
		return nil, fmt.Errorf("jwks: key %q: %w", id, err)
	}
	return k, nil
}

func newKey(id, algorithm string, public crypto.PublicKey) (*Key, error) {
	k := &Key{id: id, algorithm: algorithm, public: public}
	var err error
	if k.family, k.signatureSize, err = judgePublicKey(public); err != nil {
		return nil, err
	}
	if algorithm != "" && !k.Fits(algorithm) {
		return nil, fmt.Errorf("alg %q does not fit the key", algorithm)
	}
	return k, nil
}

// ID is the key's kid, "" if it has none.
func (k *Key) ID() string { return k.id }

// Algorithm is the one algorithm that the key is published for, "" for any that fits it.
func (k *Key) Algorithm() string { return k.algorithm }

// Public is an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey. It must not be changed.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Current reports whether the key's source still stands by it. It is false for good once the source has dropped the
// key: what was verified with it must then be forgotten. It costs one atomic load, so that a cache of verified tokens can
// ask on every hit. A refresh that brings the same key again keeps the same *Key.
func (k *Key) Current() bool { return !k.dropped.Load() }

// LogValue names the key without spelling it out.
func (k *Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("kid", k.id), slog.String("alg", k.algorithm))
}

// drop is called by the key's source, once it has stopped handing the key out.
func (k *Key) drop() { k.dropped.Store(true) }

// same reports whether o is this very key again: if so, whoever holds k need not notice that it was fetched anew.
func (k *Key) same(o *Key) bool {
	return k.id == o.id && k.algorithm == o.algorithm && equalKeys(k.public, o.public)
}

func equalKeys(a, b crypto.PublicKey) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		return a.Equal(b)
	case *ecdsa.PublicKey:
		return a.Equal(b)
	case ed25519.PublicKey:
		return a.Equal(b)
	}
	return false
}
