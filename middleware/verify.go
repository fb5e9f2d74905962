package middleware

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"

	"github.com/golang-jwt/jwt/v5"
)

// verify reports whether sig is the signature of input under key, which fits the algorithm. It gives the verdicts of
// golang-jwt's signing methods (FuzzVerify compares them), whose copies of the token, hash objects and big integers are
// more allocations than all the rest of a judgement: 9 for RS256, 20 for ES256.
func (a *algorithm) verify(input string, sig []byte, key any) error {
	ok := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		ok = len(sig) == k.Size() && a.verifyRSA(input, sig, k)
	case *ecdsa.PublicKey:
		ok = len(sig) == a.size && a.verifyECDSA(input, sig, k)
	case ed25519.PublicKey:
		ok = len(sig) == a.size && ed25519.Verify(k, bytesOf(input), sig)
	}
	if !ok {
		return jwt.ErrTokenSignatureInvalid
	}
	return nil
}

func (a *algorithm) verifyRSA(input string, sig []byte, key *rsa.PublicKey) bool {
	var room [sha512.Size]byte
	hash := a.sum(room[:0], input)
	if a.pss != nil {
		return rsa.VerifyPSS(key, a.hash, hash, sig, a.pss) == nil
	}
	return rsa.VerifyPKCS1v15(key, a.hash, hash, sig) == nil
}

func (a *algorithm) verifyECDSA(input string, sig []byte, key *ecdsa.PublicKey) bool {
	var room struct { // one piece of memory: what crypto/ecdsa is given moves to the heap
		hash [sha512.Size]byte
		der  [maxDER]byte
	}
	return ecdsa.VerifyASN1(key, a.sum(room.hash[:0], input), appendDER(room.der[:0], sig))
}

// sum appends the hash of input.
func (a *algorithm) sum(dst []byte, input string) []byte {
	switch a.hash {
	case crypto.SHA384:
		sum := sha512.Sum384(bytesOf(input))
		return append(dst, sum[:]...)
	case crypto.SHA512:
		sum := sha512.Sum512(bytesOf(input))
		return append(dst, sum[:]...)
	default:
		sum := sha256.Sum256(bytesOf(input))
		return append(dst, sum[:]...)
	}
}

// maxDER is the length of the longest ECDSA signature in DER, that of P-521: a sequence of two integers of 66 bytes.
const maxDER = 3 + 2*(2+66)

// appendDER appends the r||s of a JWS (RFC 7518 §3.4) as the SEQUENCE { r INTEGER, s INTEGER } that crypto/ecdsa reads.
func appendDER(dst, sig []byte) []byte {
	r, s := integer(sig[:len(sig)/2]), integer(sig[len(sig)/2:])
	size := derLen(r) + derLen(s)
	dst = append(dst, 0x30)
	if size >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(size))
	for _, n := range [...][]byte{r, s} {
		dst = append(dst, 0x02, byte(derLen(n)-2))
		if n[0] >= 0x80 {
			dst = append(dst, 0) // or it would be negative
		}
		dst = append(dst, n...)
	}
	return dst
}

// integer is n without leading zeros, and one zero for zero.
func integer(n []byte) []byte {
	for len(n) > 1 && n[0] == 0 {
		n = n[1:]
	}
	return n
}

func derLen(n []byte) int { return 2 + len(n) + int(n[0]>>7) }
