package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
)

const (
	// NIST SP 800-131A and RFC 7518, section 3.3: an RSA key has 2048 bits or more.
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

// algorithms are the signature algorithms that a token may be verified with here: the asymmetric ones of RFC 7518,
// section 3.1, and of RFC 8037, which RFC 9864 also calls Ed25519. HMAC and "none" are not among them, on purpose.
var algorithms = map[string]family{
	"RS256": familyRSA, "RS384": familyRSA, "RS512": familyRSA,
	"PS256": familyRSA, "PS384": familyRSA, "PS512": familyRSA,
	"ES256": familyP256, "ES384": familyP384, "ES512": familyP521,
	"EdDSA": familyEd25519, "Ed25519": familyEd25519,
}

// familyOf judges a public key: what it is, and whether it is fit to verify anything.
func familyOf(public crypto.PublicKey) (family, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return familyRSA, checkRSA(k)
	case *ecdsa.PublicKey:
		return familyOfCurve(k)
	case ed25519.PublicKey:
		return familyEd25519, checkEd25519(k)
	default:
		return 0, fmt.Errorf("unsupported key type %T", public)
	}
}

func familyOfCurve(k *ecdsa.PublicKey) (family, error) {
	if k == nil || k.Curve == nil || k.X == nil || k.Y == nil {
		return 0, fmt.Errorf("no curve or no point")
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
		return 0, fmt.Errorf("the point is not on the curve")
	}
	return f, nil
}

func checkRSA(k *rsa.PublicKey) error {
	if k == nil || k.N == nil {
		return fmt.Errorf("no modulus")
	}
	switch bits := k.N.BitLen(); {
	case bits < minRSABits:
		return fmt.Errorf("RSA key of %d bits, less than %d", bits, minRSABits)
	case bits > maxRSABits:
		return fmt.Errorf("RSA key of %d bits, more than %d", bits, maxRSABits)
	case k.N.Bit(0) == 0:
		return fmt.Errorf("RSA modulus is even")
	case k.E < 3 || k.E%2 == 0:
		return fmt.Errorf("RSA exponent %d", k.E)
	}
	return nil
}

// fit reports whether alg may be used with a key of family f that is published for only ("" for any).
func fit(alg, only string, f family) bool {
	return algorithms[alg] == f && (only == "" || only == alg)
}
