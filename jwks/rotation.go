package jwks

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

// rotation is the state of a Rotator: its keys, oldest first. It never changes: a step makes a new one.
//
// The times in it, and not anybody's idea of when a period began, decide what each key is at a given moment:
//
//	next     before its Activates
//	active   from its Activates to that of its successor
//	retired  from then on, for TokenLifetime and a margin
//	gone     after that, and then removed
//
// There is always a next key, so that it was published long before it signs, however suddenly it has to.
type rotation struct {
	keys []*signingKey
}

type signingKey struct {
	public    *Key
	signer    crypto.Signer
	activates time.Time

	// The headers of its tokens, made when it becomes part of a view.
	accessHeader, jwtHeader string
}

// LogValue keeps a private key out of every log.
func (k *signingKey) LogValue() slog.Value { return k.public.LogValue() }

// String keeps a private key out of every print.
func (k *signingKey) String() string { return k.public.id }

// storedRotation is a rotation as a KeyStore keeps it.
type storedRotation struct {
	Format int         `json:"format"`
	Keys   []storedKey `json:"keys"`
}

type storedKey struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Activates time.Time `json:"activates"`
	PKCS8     []byte    `json:"pkcs8"`
}

func (s *rotation) marshal() ([]byte, error) {
	stored := storedRotation{Format: 1}
	for _, k := range s.keys {
		der, err := x509.MarshalPKCS8PrivateKey(k.signer)
		if err != nil {
			return nil, err
		}
		stored.Keys = append(stored.Keys, storedKey{ID: k.public.id, Algorithm: k.public.algorithm, Activates: k.activates.UTC(), PKCS8: der})
	}
	return json.MarshalIndent(stored, "", "  ")
}

// parseRotation reads a stored state. Its errors never repeat any of it.
func parseRotation(state []byte) (*rotation, error) {
	if len(state) == 0 {
		return &rotation{}, nil
	}
	var stored storedRotation
	if err := json.Unmarshal(state, &stored); err != nil {
		return nil, errors.New("jwks: the stored keys are not valid JSON")
	}
	if stored.Format != 1 {
		return nil, fmt.Errorf("jwks: the stored keys have the unknown format %d", stored.Format)
	}
	s := &rotation{}
	for _, k := range stored.Keys {
		private, err := x509.ParsePKCS8PrivateKey(k.PKCS8)
		if err != nil {
			return nil, fmt.Errorf("jwks: stored key %q is not valid PKCS #8", weburl.Clip(k.ID, maxText))
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("jwks: stored key %q cannot sign", weburl.Clip(k.ID, maxText))
		}
		public, err := NewKey(k.ID, k.Algorithm, signer.Public())
		if err != nil {
			return nil, err
		}
		if n := len(s.keys); n > 0 && k.Activates.Before(s.keys[n-1].activates) {
			return nil, errors.New("jwks: the stored keys are out of order")
		}
		s.keys = append(s.keys, &signingKey{public: public, signer: signer, activates: k.Activates})
	}
	return s, nil
}

// active is the key that signs at now, nil if there is none.
func (s *rotation) active(now time.Time) *signingKey {
	for i := len(s.keys) - 1; i >= 0; i-- {
		if !s.keys[i].activates.After(now) {
			return s.keys[i]
		}
	}
	return nil
}

// next is the key that is to sign after the active one, nil if there is none.
func (s *rotation) next(now time.Time) *signingKey {
	for _, k := range s.keys {
		if k.activates.After(now) {
			return k
		}
	}
	return nil
}

// step returns the state as it has to be at now, which is s itself if nothing is due.
func (r *Rotator) step(s *rotation, now time.Time) (*rotation, error) {
	out := &rotation{}
	for i, k := range s.keys {
		if i+1 < len(s.keys) && !now.Before(s.keys[i+1].activates.Add(r.keep())) {
			continue // gone
		}
		out.keys = append(out.keys, k)
	}
	changed := len(out.keys) != len(s.keys)
	if out.active(now) == nil && out.next(now) == nil {
		k, err := r.generate(now)
		if err != nil {
			return nil, err
		}
		out.keys, changed = append(out.keys, k), true
	}
	if out.next(now) == nil {
		// After a long time without work the planned moment may be near or past: the key still has to be published for
		// long enough before it signs.
		at := out.keys[len(out.keys)-1].activates.Add(r.cfg.RotateEvery)
		if soonest := now.Add(r.ahead()); at.Before(soonest) {
			at = soonest
		}
		k, err := r.generate(at)
		if err != nil {
			return nil, err
		}
		out.keys, changed = append(out.keys, k), true
	}
	if !changed {
		return s, nil
	}
	return out, nil
}

// due is when step will have something to do.
func (r *Rotator) due(s *rotation, now time.Time) time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if k := s.next(now); k != nil {
		sooner(k.activates)
	}
	if len(s.keys) > 1 {
		sooner(s.keys[1].activates.Add(r.keep()))
	}
	return at
}

// force makes the next key active at now.
func (r *Rotator) force(s *rotation, now time.Time) (*rotation, error) {
	s, err := r.step(s, now)
	if err != nil {
		return nil, err
	}
	next := s.next(now)
	out := &rotation{}
	for _, k := range s.keys {
		if k == next {
			out.keys = append(out.keys, &signingKey{public: k.public, signer: k.signer, activates: now})
			break // keys planned after it are planned anew
		}
		out.keys = append(out.keys, k)
	}
	return r.step(out, now)
}

// ahead is how long a key is published before it signs: until every copy of the document that was made without it has run
// out, wherever it lies, and every node has seen the state. A Remote keeps a copy for a minute at least.
func (r *Rotator) ahead() time.Duration {
	return min(max(2*r.cfg.MaxAge+r.reload(), 2*time.Minute), r.cfg.RotateEvery)
}

// keep is how long a retired key stays published: as long as any token lives, and as other nodes may still sign with it,
// for they have not looked at the store yet or their clock is behind.
func (r *Rotator) keep() time.Duration {
	return r.cfg.TokenLifetime + r.reload() + time.Second + nodeSkew
}

// nodeSkew is how far the clocks of nodes with one store may be apart. Who drops a key and who signs with it may be
// different nodes.
const nodeSkew = time.Minute

// reload is how often the stored state is looked at, in case another node has changed it.
func (r *Rotator) reload() time.Duration { return min(r.cfg.MaxAge/4, 10*time.Second) }

func (r *Rotator) generate(activates time.Time) (*signingKey, error) {
	signer, err := generateKey(r.cfg.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("jwks: making a key: %w", err)
	}
	public, err := signerKey(r.cfg.Algorithm, signer)
	if err != nil {
		return nil, err
	}
	return &signingKey{public: public, signer: signer, activates: activates}, nil
}

func generateKey(algorithm string) (crypto.Signer, error) {
	switch algorithms[algorithm].family {
	case familyRSA:
		return rsa.GenerateKey(rand.Reader, minRSABits)
	case familyP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case familyP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case familyP521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
}

// signerKey is the public half of a signer, named by its thumbprint.
func signerKey(algorithm string, signer crypto.Signer) (*Key, error) {
	id, err := Thumbprint(signer.Public())
	if err != nil {
		return nil, err
	}
	return NewKey(id, algorithm, signer.Public())
}

// loadRotation reads the store.
func loadRotation(ctx context.Context, store KeyStore) (*rotation, string, error) {
	state, version, err := store.LoadKeys(ctx)
	if err != nil {
		return nil, "", err
	}
	s, err := parseRotation(state)
	return s, version, err
}
