package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/internal/weburl"
)

// Key is one public key that may verify tokens. It never changes, but for one flag: [Key.Current] is false once its
// source has dropped it. It is safe for concurrent use. The zero value fits no algorithm.
type Key struct {
	id            string
	algorithm     string
	family        family
	signatureSize int // in bytes; a signature of another length is wrong
	public        crypto.PublicKey
	dropped       atomic.Bool
}

// NewKey returns a Key for an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey.
//
// id is its kid. It may be empty, but then only tokens without a kid find the key. algorithm is the one algorithm that
// the key may be used with (see [Supported]); empty means any that fits the key.
//
// NewKey refuses RSA keys of less than 2048 or more than 16384 bits, curves other than P-256, P-384 and P-521, points
// that are not on their curve or of small order, and an algorithm that the key does not fit.
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

// ID returns the key's kid, "" if it has none.
func (k *Key) ID() string { return k.id }

// Algorithm returns the one algorithm that the key is published for, "" for any that fits it.
func (k *Key) Algorithm() string { return k.algorithm }

// Public returns an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey. It must not be changed.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Current reports whether the key's source still publishes it. It is false for good once the source has dropped the
// key: a cached token that the key verified must then be rejected. It costs one atomic load, so it can be asked on
// every cache hit. A refresh that brings the same key again keeps the same *Key.
func (k *Key) Current() bool { return !k.dropped.Load() }

// Fits reports whether a token with that alg may be verified with k: the key's type and curve are those of the
// algorithm, and the key is published for this algorithm or for any. EdDSA and Ed25519 are two names of one algorithm,
// in the token as in the key.
func (k *Key) Fits(alg string) bool {
	a := algorithms[alg]
	return a != nil && a.family == k.family && (k.algorithm == "" || algorithms[k.algorithm] == a)
}

// Verify returns nil if signature is k's signature of input with that alg. input is a token up to its second dot, and
// signature its third segment, decoded.
//
// Verify gives the verdicts of golang-jwt's signing methods and checks what they leave open: the curve is the one of
// the algorithm (golang-jwt takes ES384 with a P-256 key), and the salt of PS256, PS384 and PS512 is as long as the
// hash (it takes any).
//
// Errors, wrapped: [jwt.ErrInvalidKey] if k does not fit alg, as [Key.Fits] says, and [jwt.ErrTokenSignatureInvalid] if
// the signature is wrong.
func (k *Key) Verify(alg string, input, signature []byte) error {
	if !k.Fits(alg) {
		return fmt.Errorf("jwks: key %q does not fit alg %q: %w",
			weburl.Clip(k.id, maxText), weburl.Clip(alg, maxText), jwt.ErrInvalidKey)
	}
	if len(signature) != k.signatureSize || !algorithms[alg].verify(k, input, signature) {
		return jwt.ErrTokenSignatureInvalid
	}
	return nil
}

// LogValue returns the key's kid and alg, for logs.
func (k *Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("kid", k.id), slog.String("alg", k.algorithm))
}

// drop is called by the key's source when it no longer hands the key out.
func (k *Key) drop() { k.dropped.Store(true) }

// same reports whether o is this very key again. The source then keeps k, and what k verified stays valid.
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
