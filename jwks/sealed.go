package jwks

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
)

const (
	sealKeySize = 32
	sealFormat  = 1
)

// sealPurpose is authenticated with the state, so that nothing else that is sealed with the same key can stand in for it.
var sealPurpose = []byte("bearergate signing keys")

// SealedKeyStore keeps the keys of a [Rotator] in another [KeyStore] in a form that only the holder of a key can read or make: who gets
// a copy of that store, of a backup for instance, can't sign with it, and who can write to it can't put keys of their own there. What
// it can't notice is that somebody takes the state away, or puts an older one back. The key has to come from elsewhere than the store.
//
// A state that none of the keys opens is refused with [ErrSealed] and left as it is: a Rotator then has no keys, or goes on with those
// that it has loaded before. That is so for a state in clear as well, as anybody might have put it there. To begin to seal what
// is in clear, read it through the store and save it through the SealedKeyStore:
//
//	state, version, err := store.LoadKeys(ctx)
//	err = sealed.SaveKeys(ctx, state, version) // ErrConflict: somebody else has saved in between, so again
//
// Processes that still use the store without the key leave the sealed state as it is, sign with the keys they have, and have none after
// a restart. Copies of before, in backups or in the free pages of a database, still have the active and the next key in clear: two
// rotations later neither signs, and when the tokens of then have expired neither is published.
//
// What is stored is a format byte of 1, a nonce of 12 bytes, and the state in AES-256-GCM (NIST SP 800-38D) with its tag of 16.
// The nonces are random: one key may seal 2^32 times.
//
// It is safe for concurrent use, and made by [NewSealedKeyStore].
type SealedKeyStore struct {
	store KeyStore
	// A func because fmt prints none. In an unexported field of somebody's struct it calls no Format, and with a verb that does not fit
	// it even follows a pointer.
	aeads func() []cipher.AEAD
}

// NewSealedKeyStore seals what is saved with the first of the keys and opens what any of them has sealed. A key has 32 random
// bytes, is not a password, and may be overwritten afterwards. It does no I/O. Errors: ErrSealKey.
//
// To change the key, give all processes the new one as second, then as first, then call [SealedKeyStore.Reseal] when the last process that
// seals with the old one has ended. After that the old one can go. If it has become known, what it has sealed is as good as in clear: rotate
// twice as well.
func NewSealedKeyStore(store KeyStore, keys ...[]byte) (*SealedKeyStore, error) {
	if store == nil {
		return nil, errors.New("jwks: there is no store to keep the sealed keys in")
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrSealKey)
	}
	var aeads []cipher.AEAD
	for i, key := range keys {
		if len(key) != sealKeySize {
			return nil, fmt.Errorf("%w: key %d has %d", ErrSealKey, i, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("jwks: key %d to seal with: %w", i, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("jwks: key %d to seal with: %w", i, err)
		}
		aeads = append(aeads, aead)
	}
	return &SealedKeyStore{store: store, aeads: func() []cipher.AEAD { return aeads }}, nil
}

// LoadKeys implements [KeyStore]. Errors: ErrSealed, and those of the store underneath.
func (s *SealedKeyStore) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	state, version, _, err = s.load(ctx)
	return state, version, err
}

// SaveKeys implements [KeyStore]. It does not ask whether the state that it replaces could be opened. Errors: those of the store
// underneath, ErrConflict among them.
func (s *SealedKeyStore) SaveKeys(ctx context.Context, state []byte, version string) error {
	sealed := s.aeads()[0].Seal([]byte{sealFormat}, nil, state, sealPurpose) //nolint:gosec // the AEAD makes its own nonce
	return s.store.SaveKeys(ctx, sealed, version)
}

// Reseal seals the state with the first key if another one has sealed it, so that that one is no longer needed. Otherwise it only reads,
// and so it is a good thing to call at every start: it tells then, and not at the first token, that the state can't be opened. Any number
// of processes may do so at once. Errors: ErrSealed, and those of the store underneath.
func (s *SealedKeyStore) Reseal(ctx context.Context) error {
	for range settleAttempts {
		state, version, first, err := s.load(ctx)
		if err != nil || first {
			return err
		}
		// Who was faster may have sealed with the other key, so that is looked at again.
		if err := s.SaveKeys(ctx, state, version); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("jwks: the key store is too busy: %w", ErrConflict)
}

// load also tells whether there is nothing to seal anew.
func (s *SealedKeyStore) load(ctx context.Context) (state []byte, version string, first bool, err error) {
	sealed, version, err := s.store.LoadKeys(ctx)
	if err != nil {
		return nil, "", false, err
	}
	if len(sealed) == 0 && version == "" { // with a version it was something once
		return nil, "", true, nil
	}
	if state, first, err = s.open(sealed); err != nil {
		return nil, "", false, err
	}
	return state, version, first, nil
}

// open also tells whether the first key was it.
func (s *SealedKeyStore) open(sealed []byte) (state []byte, first bool, err error) {
	if len(sealed) == 0 || sealed[0] != sealFormat {
		return nil, false, fmt.Errorf("%w: they are in clear, or in a form that is not known here", ErrSealed)
	}
	for i, aead := range s.aeads() {
		if state, err = aead.Open(nil, nil, sealed[1:], sealPurpose); err == nil {
			return state, i == 0, nil
		}
	}
	return nil, false, ErrSealed
}

// Format implements [fmt.Formatter]: whatever the verb, no key is printed.
func (s SealedKeyStore) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "jwks.SealedKeyStore") }
