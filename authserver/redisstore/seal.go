package redisstore

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// Errors of sealing.
var (
	// ErrNoSealKey says that [Config].SealKeys has no key, or one that is not 32 bytes long.
	ErrNoSealKey = errors.New("redisstore: SealKeys needs a key of 32 bytes")
	// ErrSealed says that none of SealKeys opens the signing keys in Redis. They are left as they are.
	ErrSealed = errors.New("redisstore: none of SealKeys opens the signing keys")
)

const (
	sealKeySize = 32
	sealFormat  = 1
)

// sealPurpose is authenticated with the keys, so that nothing else that is sealed with the same key can stand in for them.
var sealPurpose = []byte("bearergate signing keys")

// sealer keeps a secret in the form format ‖ nonce ‖ AES-256-GCM.
type sealer struct{ aeads []cipher.AEAD }

func newSealer(keys [][]byte) (*sealer, error) {
	if len(keys) == 0 {
		return nil, ErrNoSealKey
	}
	s := new(sealer)
	for i, key := range keys {
		if len(key) != sealKeySize {
			return nil, fmt.Errorf("%w: key %d has %d", ErrNoSealKey, i, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

func (s *sealer) seal(clear []byte) []byte {
	return s.aeads[0].Seal([]byte{sealFormat}, nil, clear, sealPurpose) //nolint:gosec // the AEAD makes its own nonce
}

// open also tells whether the first key was it.
func (s *sealer) open(sealed []byte) (clear []byte, first bool, err error) {
	if len(sealed) == 0 || sealed[0] != sealFormat {
		return nil, false, ErrSealed
	}
	for i, aead := range s.aeads {
		if clear, err = aead.Open(nil, nil, sealed[1:], sealPurpose); err == nil {
			return clear, i == 0, nil
		}
	}
	return nil, false, ErrSealed
}
