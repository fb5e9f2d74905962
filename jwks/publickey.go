package jwks

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
)

const (
	// NIST SP 800-131A and RFC 7518, Section 3.3: an RSA key has 2048 bits or more.
	minRSABits = 2048
	// Far above anything in use. The cost of a verification grows with the square of the size, and the size is the
	// issuer's choice.
	maxRSABits = 16384
)

// family is the kind of key that an algorithm needs.
type family int

const (
	familyRSA family = iota + 1
	familyP256
	familyP384
	familyP521
	familyEd25519
)

// judgePublicKey finds out what a public key is, how long its signatures are, and whether it is fit to verify anything.
func judgePublicKey(public crypto.PublicKey) (f family, signatureSize int, err error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(k); err != nil {
			return 0, 0, err
		}
		return familyRSA, k.Size(), nil
	case *ecdsa.PublicKey:
		f, err := curveOf(k)
		if err != nil {
			return 0, 0, err
		}
		return f, 2 * ((k.Curve.Params().BitSize + 7) / 8), nil
	case ed25519.PublicKey:
		return familyEd25519, ed25519.SignatureSize, checkEd25519(k)
	default:
		return 0, 0, fmt.Errorf("unsupported key type %T", public)
	}
}

func checkRSA(k *rsa.PublicKey) error {
	if k == nil || k.N == nil {
		return errors.New("no modulus")
	}
	switch bits := k.N.BitLen(); {
	case bits < minRSABits:
		return fmt.Errorf("RSA key of %d bits, less than %d", bits, minRSABits)
	case bits > maxRSABits:
		return fmt.Errorf("RSA key of %d bits, more than %d", bits, maxRSABits)
	case k.N.Bit(0) == 0:
		return errors.New("RSA modulus is even")
	case k.E < 3 || k.E%2 == 0:
		return fmt.Errorf("RSA exponent %d", k.E)
	}
	return nil
}

func curveOf(k *ecdsa.PublicKey) (family, error) {
	if k == nil || k.Curve == nil || k.X == nil || k.Y == nil {
		return 0, errors.New("no curve or no point")
	}
	var f family
	switch k.Curve {
	case elliptic.P256():
		f = familyP256
	case elliptic.P384():
		f = familyP384
	case elliptic.P521():
		f = familyP521
	default:
		return 0, fmt.Errorf("unsupported curve %q", k.Curve.Params().Name)
	}
	// Converting checks that the point is on the curve and is not the point at infinity.
	if _, err := k.ECDH(); err != nil {
		return 0, errors.New("the point is not on the curve")
	}
	return f, nil
}

// checkEd25519 refuses 32 bytes that are no point of the curve, since such a key verifies nothing, and points of small
// order, since under such a key anybody can sign. crypto/ed25519 refuses the first only when it verifies, and the
// second never.
func checkEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return errors.New("Ed25519 key is not 32 bytes long")
	}
	point, err := new(edwards25519.Point).SetBytes(k)
	// RFC 8032, Section 5.1.3: the coordinate is less than the field's prime. SetBytes takes any.
	if err != nil || !bytes.Equal(point.Bytes(), k) {
		return errors.New("the point is not on the curve")
	}
	if point.MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return errors.New("the point is of small order")
	}
	return nil
}
