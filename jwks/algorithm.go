package jwks

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
)

// algorithm is how a JWS is signed and verified.
type algorithm struct {
	family family
	hash   crypto.Hash     // 0: the algorithm hashes by itself
	pss    *rsa.PSSOptions // nil unless the padding is PSS
}

// algorithms are those that a token may be signed and verified with: the asymmetric ones of RFC 7518, Section 3.1, and of
// RFC 8037, Section 3.1. RFC 9864 gave EdDSA with an Ed25519 key its second name. HMAC and "none" are not among them, on
// purpose: neither proves who signed.
var algorithms = map[string]*algorithm{
	"RS256": {familyRSA, crypto.SHA256, nil}, "RS384": {familyRSA, crypto.SHA384, nil}, "RS512": {familyRSA, crypto.SHA512, nil},
	"PS256": {familyRSA, crypto.SHA256, pss(crypto.SHA256)}, "PS384": {familyRSA, crypto.SHA384, pss(crypto.SHA384)},
	"PS512": {familyRSA, crypto.SHA512, pss(crypto.SHA512)},
	"ES256": {familyP256, crypto.SHA256, nil}, "ES384": {familyP384, crypto.SHA384, nil}, "ES512": {familyP521, crypto.SHA512, nil},
	"EdDSA": eddsa, "Ed25519": eddsa,
}

var eddsa = &algorithm{family: familyEd25519}

// pss returns the one parameter that RFC 7518, Section 3.5 leaves: the salt is as long as the hash.
func pss(hash crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
}

// Supported reports whether tokens may be signed and verified with alg: RS256, RS384, RS512, PS256, PS384, PS512, ES256,
// ES384, ES512, EdDSA or Ed25519. The last two are two names of one algorithm (RFC 9864, Section 2.2). Symmetric algorithms
// and "none" are not supported.
func Supported(alg string) bool { return algorithms[alg] != nil }

// options are for a [crypto.Signer].
func (a *algorithm) options() crypto.SignerOpts {
	if a.pss != nil {
		return a.pss
	}
	return a.hash
}

// appendHash appends to dst what is signed: the hash of input. It is not for EdDSA, which signs input itself.
func (a *algorithm) appendHash(dst, input []byte) []byte {
	switch a.hash {
	case crypto.SHA384:
		sum := sha512.Sum384(input)
		return append(dst, sum[:]...)
	case crypto.SHA512:
		sum := sha512.Sum512(input)
		return append(dst, sum[:]...)
	default:
		sum := sha256.Sum256(input)
		return append(dst, sum[:]...)
	}
}
