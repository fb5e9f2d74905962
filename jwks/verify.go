package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha512"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/internal/weburl"
)

// Fits reports whether a token with that alg may be verified with k: the key's type and curve are those of the algorithm, and
// the key is published for this algorithm or for any. EdDSA and Ed25519 are two names of one algorithm, in the token as in
// the key.
func (k *Key) Fits(alg string) bool {
	a := algorithms[alg]
	return a != nil && a.family == k.family && (k.algorithm == "" || algorithms[k.algorithm] == a)
}

// Verify returns nil if signature is k's signature of input with that alg. Input is a token up to its second dot, and
// signature its third segment, decoded.
//
// It gives the verdicts of golang-jwt's signing methods and checks what they leave open: the curve is the one of the
// algorithm (golang-jwt takes ES384 with a P-256 key), and the salt of PS256, PS384 and PS512 is as long as the hash (it
// takes any).
//
// Errors: [jwt.ErrInvalidKey] when k does not fit alg, as [Key.Fits] says, [jwt.ErrTokenSignatureInvalid] when the signature is
// wrong. Both are to be asked for with errors.Is.
func (k *Key) Verify(alg string, input, signature []byte) error {
	if !k.Fits(alg) {
		return fmt.Errorf("jwks: key %q does not fit alg %q: %w", weburl.Clip(k.id, maxText), weburl.Clip(alg, maxText), jwt.ErrInvalidKey)
	}
	if len(signature) != k.signatureSize || !algorithms[alg].verify(k, input, signature) {
		return jwt.ErrTokenSignatureInvalid
	}
	return nil
}

func (a *algorithm) verify(k *Key, input, signature []byte) bool {
	var room [sha512.Size]byte
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		hash := a.appendHash(room[:0], input)
		if a.pss != nil {
			return rsa.VerifyPSS(public, a.hash, hash, signature, a.pss) == nil
		}
		return rsa.VerifyPKCS1v15(public, a.hash, hash, signature) == nil
	case *ecdsa.PublicKey:
		der, err := marshalECDSA(signature)
		return err == nil && ecdsa.VerifyASN1(public, a.appendHash(room[:0], input), der)
	case ed25519.PublicKey:
		return ed25519.Verify(public, input, signature)
	}
	return false
}
