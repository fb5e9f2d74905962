package jwks

import (
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A JWS holds an ECDSA signature as two numbers side by side, both as long as the curve's order (RFC 7518, Section 3.4).
// The crypto packages want and return ASN.1: SEQUENCE { r INTEGER, s INTEGER }, in DER.

var errNoECDSA = errors.New("the signer returned no ECDSA signature of this curve")

// parseECDSA turns ASN.1 into two numbers of size bytes each. It takes the one DER spelling of a signature and no other.
func parseECDSA(der []byte, size int) ([]byte, error) {
	var numbers cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&numbers, asn1.SEQUENCE) || !input.Empty() ||
		!numbers.ReadASN1Integer(&r) || !numbers.ReadASN1Integer(&s) || !numbers.Empty() ||
		r[0] == 0 || s[0] == 0 || len(r) > size || len(s) > size { // r and s have no leading zeros, unless they are zero
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
