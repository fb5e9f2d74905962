package jwks

import "errors"

var errNoECDSA = errors.New("the signer returned no ECDSA signature of this curve")

const (
	derInteger  = 0x02
	derSequence = 0x30
)

// joinECDSA turns the ASN.1 form that every crypto.Signer returns into the two numbers side by side of RFC 7518, section
// 3.4, each of size bytes. It takes the one DER spelling of a signature and no other.
func joinECDSA(signature []byte, size int) ([]byte, error) {
	numbers, rest, ok := derElement(signature, derSequence)
	if !ok || len(rest) > 0 {
		return nil, errNoECDSA
	}
	out := make([]byte, 2*size)
	numbers, ok1 := derNumber(numbers, out[:size])
	numbers, ok2 := derNumber(numbers, out[size:])
	if !ok1 || !ok2 || len(numbers) > 0 {
		return nil, errNoECDSA
	}
	return out, nil
}

// derNumber copies a positive integer to the end of dst.
func derNumber(der, dst []byte) (rest []byte, ok bool) {
	n, rest, ok := derElement(der, derInteger)
	if !ok || len(n) == 0 || n[0] >= 0x80 { // a negative one
		return nil, false
	}
	if n[0] == 0 {
		n = n[1:]
		if len(n) == 0 || n[0] < 0x80 { // zero, or a byte too many
			return nil, false
		}
	}
	if len(n) > len(dst) {
		return nil, false
	}
	copy(dst[len(dst)-len(n):], n)
	return rest, true
}

// derElement takes the first element off. Lengths up to 255 do for every curve.
func derElement(der []byte, tag byte) (content, rest []byte, ok bool) {
	if len(der) < 2 || der[0] != tag {
		return nil, nil, false
	}
	n, rest := int(der[1]), der[2:]
	if n == 0x81 && len(rest) > 0 && rest[0] >= 0x80 {
		n, rest = int(rest[0]), rest[1:]
	} else if n >= 0x80 {
		return nil, nil, false
	}
	if len(rest) < n {
		return nil, nil, false
	}
	return rest[:n], rest[n:], true
}
