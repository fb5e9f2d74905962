package jwks

import (
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

// rotation is the state of a Rotator: its keys, oldest first. It never changes; a rotation step makes a new one.
//
// The times in it, and nothing else, decide what each key is at a given moment:
//
//	next     before its Activates
//	active   from its Activates to that of its successor
//	retired  from then on, for TokenLifetime and a margin
//	gone     after that, and then removed
//
// There is always a next key. So it was published long before it signs, even if it has to sign suddenly.
type rotation struct {
	keys []*signingKey
}

type signingKey struct {
	public    *Key
	signer    crypto.Signer
	activates time.Time
}

// LogValue keeps the private key out of logs.
func (k *signingKey) LogValue() slog.Value { return k.public.LogValue() }

// String keeps the private key out of prints.
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
		stored.Keys = append(stored.Keys, storedKey{
			ID:        k.public.id,
			Algorithm: k.public.algorithm,
			Activates: k.activates.UTC(),
			PKCS8:     der,
		})
	}
	return json.MarshalIndent(stored, "", "  ")
}

// parseRotation reads a stored state. Its errors repeat nothing of it but kids.
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

// active returns the key that signs at now, nil if there is none.
func (s *rotation) active(now time.Time) *signingKey {
	for i := len(s.keys) - 1; i >= 0; i-- {
		if !s.keys[i].activates.After(now) {
			return s.keys[i]
		}
	}
	return nil
}

// next returns the key that will sign after the active one, nil if there is none.
func (s *rotation) next(now time.Time) *signingKey {
	for _, k := range s.keys {
		if k.activates.After(now) {
			return k
		}
	}
	return nil
}

// rotateOnce returns the state as it has to be at now: s itself if nothing is due.
func (r *Rotator) rotateOnce(s *rotation, now time.Time) (*rotation, error) {
	out := &rotation{}
	for i, k := range s.keys {
		if i+1 < len(s.keys) && !now.Before(s.keys[i+1].activates.Add(r.retainRetired())) {
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
		// After a long idle time the planned moment may be near or past. The key still has to be published for long
		// enough before it signs.
		at := out.keys[len(out.keys)-1].activates.Add(r.cfg.RotateEvery)
		if soonest := now.Add(r.publishAhead()); at.Before(soonest) {
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

// nextChange returns when rotateOnce will have something to do.
func (r *Rotator) nextChange(s *rotation, now time.Time) time.Time {
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
		sooner(s.keys[1].activates.Add(r.retainRetired()))
	}
	return at
}

// rotateNow makes the next key active at now.
func (r *Rotator) rotateNow(s *rotation, now time.Time) (*rotation, error) {
	s, err := r.rotateOnce(s, now)
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
	return r.rotateOnce(out, now)
}

// publishAhead returns how long a key is published before it signs: until every cached copy of the document without it
// has expired, and every node has read the state. A Remote caches a copy for at least a minute.
func (r *Rotator) publishAhead() time.Duration {
	return min(max(2*r.cfg.MaxAge+r.recheckInterval(), 2*time.Minute), r.cfg.RotateEvery)
}

// retainRetired returns how long a retired key stays published: for the lifetime of a token, and for as long as another
// node may still sign with it, because it has not read the store yet or its clock is behind.
func (r *Rotator) retainRetired() time.Duration {
	return r.cfg.TokenLifetime + r.recheckInterval() + time.Second + nodeSkew
}

// nodeSkew is how far the clocks of nodes that share a store may be apart. One node may drop a key that another signs
// with.
const nodeSkew = time.Minute

// recheckInterval returns how often the store is read, in case another node has changed it.
func (r *Rotator) recheckInterval() time.Duration { return min(r.cfg.MaxAge/4, 10*time.Second) }

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

// signerKey returns the public half of a signer, named by its thumbprint.
func signerKey(algorithm string, signer crypto.Signer) (*Key, error) {
	id, err := Thumbprint(signer.Public())
	if err != nil {
		return nil, err
	}
	return NewKey(id, algorithm, signer.Public())
}
