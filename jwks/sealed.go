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

// sealPurpose is authenticated with the state, so that nothing else sealed with the same key can take its place.
var sealPurpose = []byte("bearergate signing keys")

// SealedKeyStore keeps the keys of a [Rotator] in another [KeyStore], encrypted and authenticated. Whoever gets a copy
// of that store, of a backup for instance, can't sign with it. Whoever can write to it can't put keys of their own
// there. It does not notice that somebody removes the state or puts an older one back. The seal keys must come from
// elsewhere than the store.
//
// A state that no seal key opens is refused with [ErrSealed] and left as it is. A Rotator then has no keys, or goes on
// with those that it has loaded before. A state in clear is refused too, since anybody might have put it there. To
// start sealing what is in clear, read it through the store and save it through the SealedKeyStore:
//
//	state, version, err := store.LoadKeys(ctx)
//	err = sealed.SaveKeys(ctx, state, version) // ErrConflict: somebody else has saved in between, do both again
//
// Processes that still use the store without a seal key leave the sealed state as it is. They sign with the keys they
// have, and have none after a restart. Older copies, in backups or in free pages of a database, still hold the active
// and the next key in clear. After two rotations neither signs; when the tokens from then have expired, neither is
// published.
//
// What is stored is a format byte of 1, a nonce of 12 bytes, and the state in AES-256-GCM (NIST SP 800-38D) with its
// tag of 16 bytes. The nonces are random: one key may seal 2^32 times.
//
// It is made by [NewSealedKeyStore] and safe for concurrent use.
type SealedKeyStore struct {
	store KeyStore
	// It is a func because fmt prints none. For an unexported field of somebody's struct fmt calls no Format, and with
	// a verb that does not fit it even follows a pointer.
	aeads func() []cipher.AEAD
}

// NewSealedKeyStore returns a SealedKeyStore that seals with the first of the keys and opens what any of them has
// sealed. A key has 32 random bytes and is not a password. The caller may overwrite it afterwards. It does no I/O.
// Errors: [ErrSealKey].
//
// To rotate the seal key:
//
//  1. Append the new key, and deploy that everywhere.
//  2. Move it to the front, and deploy that everywhere. Now no process seals with the old key.
//  3. Call [SealedKeyStore.Reseal] once.
//  4. Remove the old key.
//
// If the old key has become known, treat what it sealed as if it were in clear: rotate the signing keys twice as well.
func NewSealedKeyStore(store KeyStore, keys ...[]byte) (*SealedKeyStore, error) {
	if store == nil {
		return nil, errors.New("jwks: the store for the sealed keys is nil")
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
			return nil, fmt.Errorf("jwks: seal key %d: %w", i, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("jwks: seal key %d: %w", i, err)
		}
		aeads = append(aeads, aead)
	}
	return &SealedKeyStore{store: store, aeads: func() []cipher.AEAD { return aeads }}, nil
}

// LoadKeys implements [KeyStore]. Errors: [ErrSealed], and those of the other store.
func (s *SealedKeyStore) LoadKeys(ctx context.Context) (state []byte, version string, err error) {
	state, version, _, err = s.load(ctx)
	return state, version, err
}

// SaveKeys implements [KeyStore]. It does not check that the state it replaces could be opened. Errors: those of the
// other store, [ErrConflict] among them.
func (s *SealedKeyStore) SaveKeys(ctx context.Context, state []byte, version string) error {
	sealed := s.aeads()[0].Seal([]byte{sealFormat}, nil, state, sealPurpose) //nolint:gosec // the AEAD makes the nonce
	return s.store.SaveKeys(ctx, sealed, version)
}

// Reseal seals the state with the first key if another key has sealed it, so that the other key is no longer needed.
// Otherwise it only reads. Call it at every start: then a state that can't be opened shows at the start and not at the
// first token. Any number of processes may call it at once. Errors: [ErrSealed], and those of the other store.
func (s *SealedKeyStore) Reseal(ctx context.Context) error {
	for range updateAttempts {
		state, version, first, err := s.load(ctx)
		if err != nil || first {
			return err
		}
		// The process that was faster may have sealed with the old key, so the state is read again.
		if err := s.SaveKeys(ctx, state, version); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("jwks: the key store is too busy: %w", ErrConflict)
}

// load also reports whether the first key has sealed the state, or there is none: then there is nothing to reseal.
func (s *SealedKeyStore) load(ctx context.Context) (state []byte, version string, first bool, err error) {
	sealed, version, err := s.store.LoadKeys(ctx)
	if err != nil {
		return nil, "", false, err
	}
	if len(sealed) == 0 && version == "" { // an empty state with a version is none that a Rotator has saved
		return nil, "", true, nil
	}
	if state, first, err = s.open(sealed); err != nil {
		return nil, "", false, err
	}
	return state, version, first, nil
}

// open also reports whether the first key opened it.
func (s *SealedKeyStore) open(sealed []byte) (state []byte, first bool, err error) {
	if len(sealed) == 0 || sealed[0] != sealFormat {
		return nil, false, fmt.Errorf("%w: they are in clear, or in an unknown format", ErrSealed)
	}
	for i, aead := range s.aeads() {
		if state, err = aead.Open(nil, nil, sealed[1:], sealPurpose); err == nil {
			return state, i == 0, nil
		}
	}
	return nil, false, ErrSealed
}

// Format implements [fmt.Formatter] and prints no key, whatever the verb.
func (s SealedKeyStore) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "jwks.SealedKeyStore") }
