package middleware

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"strings"
)

// An algorithm is one that may be put on an allow-list. What golang-jwt leaves open is checked: that the curve is the one
// of the algorithm (it takes ES384 with a P-256 key), the size of RSA keys, the length of the signature, and that the salt
// of PSS is as long as the hash (RFC 7518 §3.5; it takes any).
type algorithm struct {
	name  string
	hash  crypto.Hash     // 0: the algorithm hashes by itself
	pss   *rsa.PSSOptions // of PS*
	curve string          // of ES*
	size  int             // of the signature in bytes; 0: the size of the RSA modulus
}

// minRSABits: RFC 7518 §3.3. maxRSABits bounds what a hostile key set can make one verification cost.
const (
	minRSABits = 2048
	maxRSABits = 16384
)

var algorithms = []*algorithm{
	{name: "RS256", hash: crypto.SHA256},
	{name: "RS384", hash: crypto.SHA384},
	{name: "RS512", hash: crypto.SHA512},
	{name: "PS256", hash: crypto.SHA256, pss: strictPSS},
	{name: "PS384", hash: crypto.SHA384, pss: strictPSS},
	{name: "PS512", hash: crypto.SHA512, pss: strictPSS},
	{name: "ES256", hash: crypto.SHA256, curve: "P-256", size: 64},
	{name: "ES384", hash: crypto.SHA384, curve: "P-384", size: 96},
	{name: "ES512", hash: crypto.SHA512, curve: "P-521", size: 132},
	{name: "EdDSA", size: ed25519.SignatureSize},
}

var strictPSS = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

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

// symmetric reports whether name is an algorithm with a shared secret, or none at all: refused with its own words.
func symmetric(name string) bool {
	return strings.EqualFold(name, "none") || len(name) == 5 && strings.EqualFold(name[:2], "HS")
}
