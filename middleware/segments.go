package middleware

import "strings"

// split cuts a compact JWS (RFC 7515 §7.1) into its three segments. Five segments are a JWE, which is not for us.
func split(raw string) (header, payload, signature string, ok bool) {
	header, rest, ok := strings.Cut(raw, ".")
	if !ok {
		return "", "", "", false
	}
	payload, signature, ok = strings.Cut(rest, ".")
	if !ok || header == "" || payload == "" || signature == "" || strings.IndexByte(signature, '.') >= 0 {
		return "", "", "", false
	}
	return header, payload, signature, true
}

// decodedLen is the number of bytes that a segment stands for.
func decodedLen(segment string) int { return len(segment) * 6 / 8 }

// decode reads a segment into dst, which has room for decodedLen. One segment has one text only: no padding, no line
// break and no stray bits in the last character (RFC 7515 §2). Otherwise a token could be changed without becoming
// invalid, and a list of revoked tokens could be stepped around. (encoding/base64 skips line breaks, and costs twice as much.)
func decode(dst []byte, segment string) bool {
	var bad uint32
	for len(segment) >= 4 && len(dst) >= 3 {
		x := sextets[0][segment[0]] | sextets[1][segment[1]] | sextets[2][segment[2]] | sextets[3][segment[3]]
		bad |= x
		dst[0], dst[1], dst[2] = byte(x>>16), byte(x>>8), byte(x)
		segment, dst = segment[4:], dst[3:]
	}
	switch len(segment) {
	case 0:
	case 2:
		x := sextets[0][segment[0]] | sextets[1][segment[1]]
		bad |= x | stray(x&0xFFFF)
		dst[0] = byte(x >> 16)
	case 3:
		x := sextets[0][segment[0]] | sextets[1][segment[1]] | sextets[2][segment[2]]
		bad |= x | stray(x&0xFF)
		dst[0], dst[1] = byte(x>>16), byte(x>>8)
	default:
		return false
	}
	return bad&notBase64 == 0
}

// notBase64 marks a character outside the alphabet, above the 24 bits that four characters make.
const notBase64 = 1 << 24

func stray(bits uint32) uint32 {
	if bits != 0 {
		return notBase64
	}
	return 0
}

// sextets are the values of the characters of base64url (RFC 4648 §5) at each of the four places.
var sextets = func() (t [4][256]uint32) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for place := range t {
		for c := range t[place] {
			t[place][c] = notBase64
		}
		for value := range len(alphabet) {
			t[place][alphabet[value]] = uint32(value) << (18 - 6*place)
		}
	}
	return t
}()
