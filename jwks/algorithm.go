package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// algorithm is how a JWS is signed and verified.
type algorithm struct {
	family family
	hash   crypto.Hash     // 0: the algorithm hashes by itself
	pss    *rsa.PSSOptions // nil unless the padding is PSS
}

// algorithms are those that a token may be signed and verified with: the asymmetric ones of RFC 7518, Section 3.1, and
// of RFC 8037, Section 3.1. RFC 9864 gave EdDSA with an Ed25519 key its second name. HMAC and "none" are not among
// them, on purpose: neither proves who signed.
var algorithms = map[string]*algorithm{
	"RS256":   {familyRSA, crypto.SHA256, nil},
	"RS384":   {familyRSA, crypto.SHA384, nil},
	"RS512":   {familyRSA, crypto.SHA512, nil},
	"PS256":   {familyRSA, crypto.SHA256, pss(crypto.SHA256)},
	"PS384":   {familyRSA, crypto.SHA384, pss(crypto.SHA384)},
	"PS512":   {familyRSA, crypto.SHA512, pss(crypto.SHA512)},
	"ES256":   {familyP256, crypto.SHA256, nil},
	"ES384":   {familyP384, crypto.SHA384, nil},
	"ES512":   {familyP521, crypto.SHA512, nil},
	"EdDSA":   eddsa,
	"Ed25519": eddsa,
}

var eddsa = &algorithm{family: familyEd25519}

// pss returns the one parameter that RFC 7518, Section 3.5 leaves: the salt is as long as the hash.
func pss(hash crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
}

// Supported reports whether tokens may be signed and verified with alg: RS256, RS384, RS512, PS256, PS384, PS512,
// ES256, ES384, ES512, EdDSA or Ed25519. The last two are two names of one algorithm (RFC 9864, Section 2.2). Symmetric
// algorithms and "none" are not supported.
func Supported(alg string) bool { return algorithms[alg] != nil }

// options are for a [crypto.Signer].
func (a *algorithm) options() crypto.SignerOpts {
	if a.pss != nil {
		return a.pss
	}
	return a.hash
}

// verify reports whether signature, of the length that k's signatures have, is k's signature of input.
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

// appendHash appends the hash of input to dst. It is not for EdDSA, which signs input itself.
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

// A JWS holds an ECDSA signature as two numbers side by side, both as long as the curve's order (RFC 7518, Section
// 3.4). The crypto packages take and return ASN.1: SEQUENCE { r INTEGER, s INTEGER }, in DER.

var errNoECDSA = errors.New("the signer returned no ECDSA signature of this curve")

// parseECDSA turns ASN.1 into two numbers of size bytes each. It takes the one DER spelling of a signature and no
// other.
func parseECDSA(der []byte, size int) ([]byte, error) {
	var numbers cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&numbers, asn1.SEQUENCE) || !input.Empty() ||
		!numbers.ReadASN1Integer(&r) || !numbers.ReadASN1Integer(&s) || !numbers.Empty() ||
		r[0] == 0 || s[0] == 0 || len(r) > size || len(s) > size { // leading zeros are gone: a first 0 is the number 0
		return nil, errNoECDSA
	}
	signature := make([]byte, 2*size)
	copy(signature[size-len(r):], r)
	copy(signature[2*size-len(s):], s)
	return signature, nil
}

// marshalECDSA turns two numbers side by side into ASN.1.
func marshalECDSA(signature []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		half := len(signature) / 2
		b.AddASN1BigInt(new(big.Int).SetBytes(signature[:half]))
		b.AddASN1BigInt(new(big.Int).SetBytes(signature[half:]))
	})
	return b.Bytes()
}
