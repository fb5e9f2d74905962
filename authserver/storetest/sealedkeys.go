package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/bearergate/bearergate/jwks"
)

// SealedKeys is a store of signing keys that encrypts them with a [jwks.SealedKeyStore], for [RunSealedKeys].
type SealedKeys struct {
	// Open opens a store on the same data each time, with these seal keys.
	Open func(t *testing.T, sealKeys ...[]byte) (jwks.KeyStore, error)
	// Read returns the encrypted state as it is stored.
	Read func(t *testing.T) []byte
	// Write replaces the encrypted state.
	Write func(t *testing.T, sealed []byte)
}

// RunSealedKeys checks that a store encrypts signing keys, and that its seal key can be rotated. It calls newStore once
// for each test. newStore returns an empty store.
func RunSealedKeys(t *testing.T, newStore func(t *testing.T) SealedKeys) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, SealedKeys)
	}{
		{"stores opened at once sign with the same key", sealedConcurrentOpen},
		{"the state is encrypted", sealedState},
		{"the seal key can be rotated", sealedKeyRotation},
		{"a damaged state is rejected", sealedDamage},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newStore(t)) })
	}
}

var (
	oldSealKey = []byte("0123456789abcdef0123456789abcdef")
	newSealKey = []byte("another key of thirty-two bytes.")
)

func openSealed(t *testing.T, s SealedKeys, sealKeys ...[]byte) jwks.KeyStore {
	t.Helper()
	keys, err := s.Open(t, sealKeys...)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return keys
}

// signedHeader signs a token with the keys of the store and returns its header, which contains the kid.
func signedHeader(t *testing.T, keys jwks.KeyStore) string {
	t.Helper()
	r, err := jwks.NewRotator(jwks.RotatorConfig{Store: keys})
	if err != nil {
		t.Errorf("NewRotator: %v", err)
		return ""
	}
	token, err := r.Sign(t.Context(), "JWT", map[string]any{})
	if err != nil {
		t.Errorf("Sign: %v", err)
	}
	header, _, _ := strings.Cut(token, ".")
	return header
}

func sealedConcurrentOpen(t *testing.T, s SealedKeys) {
	headers := make([]string, 5)
	var wg sync.WaitGroup
	for i := range headers {
		wg.Go(func() {
			keys, err := s.Open(t, oldSealKey)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			headers[i] = signedHeader(t, keys)
		})
	}
	wg.Wait()
	for _, h := range headers {
		if h != headers[0] {
			t.Fatal("stores that were opened at once sign with different keys")
		}
	}
}

func sealedState(t *testing.T, s SealedKeys) {
	keys := openSealed(t, s, oldSealKey)
	signedHeader(t, keys)
	state, _ := loadKeys(t, keys)
	if !json.Valid(state) {
		t.Fatalf("the state is not JSON: %d bytes", len(state))
	}
	sealed := s.Read(t)
	if want := 1 + 12 + len(state) + 16; len(sealed) != want { // format, nonce, text, tag
		t.Errorf("%d encrypted bytes, want %d", len(sealed), want)
	}
	for i := range len(state) - 8 {
		if bytes.Contains(sealed, state[i:i+8]) {
			t.Fatal("the encrypted bytes contain a part of the state")
		}
	}
}

func sealedKeyRotation(t *testing.T, s SealedKeys) {
	header := signedHeader(t, openSealed(t, s, oldSealKey))
	first := s.Read(t)
	_, err := s.Open(t, newSealKey)
	wantError(t, "Open with another seal key", err, jwks.ErrSealed)
	if !bytes.Equal(s.Read(t), first) {
		t.Fatal("Open with another seal key changed the state")
	}
	wantHeader := func(step string, sealKeys ...[]byte) {
		t.Helper()
		if signedHeader(t, openSealed(t, s, sealKeys...)) != header {
			t.Fatalf("%s: the store signs with another key", step)
		}
	}
	wantHeader("the new seal key is appended", oldSealKey, newSealKey)
	if !bytes.Equal(s.Read(t), first) {
		t.Fatal("the state was encrypted again, although its key is the first")
	}
	wantHeader("the new seal key is moved to the front", newSealKey, oldSealKey)
	if bytes.Equal(s.Read(t), first) {
		t.Fatal("the state was not encrypted with the new seal key")
	}
	wantHeader("the old seal key is removed", newSealKey)
	wantHeader("a node with both seal keys, the old one first", oldSealKey, newSealKey)
}

// sealedDamage checks a few damaged states; the tests of package jwks check all kinds.
func sealedDamage(t *testing.T, s SealedKeys) {
	keys := openSealed(t, s, oldSealKey)
	wantError(t, "SaveKeys", keys.SaveKeys(t.Context(), []byte("state"), ""), nil)
	sealed := s.Read(t)
	for _, test := range []struct {
		name  string
		value []byte
	}{
		{"empty", nil}, {"truncated", sealed[:len(sealed)-1]}, {"not encrypted", []byte("state")},
	} {
		s.Write(t, test.value)
		if _, _, err := keys.LoadKeys(t.Context()); !errors.Is(err, jwks.ErrSealed) {
			t.Errorf("%s: LoadKeys returned error %v, want ErrSealed", test.name, err)
		}
		if _, err := s.Open(t, oldSealKey); !errors.Is(err, jwks.ErrSealed) {
			t.Errorf("%s: Open returned error %v, want ErrSealed", test.name, err)
		}
	}
	s.Write(t, sealed)
	wantKeys(t, keys, "state")
}
