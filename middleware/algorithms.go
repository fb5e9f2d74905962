package middleware

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // for golang-jwt, which links no hash
	_ "crypto/sha512"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// An algorithm is one that may be put on an allow-list. golang-jwt verifies; what it leaves open is checked before: that
// the curve is the one of the algorithm (it takes ES384 with a P-256 key), the size of RSA keys, the length of the
// signature, and that the salt of PSS is as long as the hash (it takes any).
type algorithm struct {
	name   string
	method jwt.SigningMethod
	curve  string // of ES*
	size   int    // of the signature in bytes; 0: the size of the RSA modulus
}

// minRSABits: RFC 7518 §3.3. maxRSABits bounds what a hostile key set can make one verification cost.
const (
	minRSABits = 2048
	maxRSABits = 16384
)

var algorithms = []*algorithm{
	{name: "RS256", method: jwt.SigningMethodRS256},
	{name: "RS384", method: jwt.SigningMethodRS384},
	{name: "RS512", method: jwt.SigningMethodRS512},
	{name: "PS256", method: strictPSS(jwt.SigningMethodPS256)},
	{name: "PS384", method: strictPSS(jwt.SigningMethodPS384)},
	{name: "PS512", method: strictPSS(jwt.SigningMethodPS512)},
	{name: "ES256", method: jwt.SigningMethodES256, curve: "P-256", size: 64},
	{name: "ES384", method: jwt.SigningMethodES384, curve: "P-384", size: 96},
	{name: "ES512", method: jwt.SigningMethodES512, curve: "P-521", size: 132},
	{name: "EdDSA", method: jwt.SigningMethodEdDSA, size: ed25519.SignatureSize},
}

// strictPSS is m without the leniency that golang-jwt has for signatures with another salt length (RFC 7518 §3.5).
func strictPSS(m *jwt.SigningMethodRSAPSS) jwt.SigningMethod {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.Hash},
	}
}

// algorithmNamed returns nil for names that can't be on an allow-list.
func algorithmNamed(name string) *algorithm {
	for _, a := range algorithms {
		if a.name == name {
			return a
		}
	}
	return nil
}

// fits reports whether the algorithm may be used with key.
func (a *algorithm) fits(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return (a.name[0] == 'R' || a.name[0] == 'P') && k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey:
		return a.curve != "" && k.Curve != nil && k.Curve.Params().Name == a.curve
	case ed25519.PublicKey:
		return a.name == "EdDSA" && len(k) == ed25519.PublicKeySize
	}
	return false
}

// verify reports whether sig is the signature of input under key.
func (a *algorithm) verify(input string, sig []byte, key any) error {
	size := a.size
	if k, ok := key.(*rsa.PublicKey); ok {
		size = k.Size()
	}
	if len(sig) != size {
		return jwt.ErrTokenSignatureInvalid
	}
	return a.method.Verify(input, sig, key)
}

// symmetric reports whether name is an algorithm with a shared secret, or none at all: refused with its own words.
func symmetric(name string) bool {
	return strings.EqualFold(name, "none") || len(name) == 5 && strings.EqualFold(name[:2], "HS")
}
