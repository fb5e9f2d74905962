package middleware

import (
	"encoding/base64"
	"strings"
)

// strictBase64 refuses padding and stray bits in the last character. It would still skip line breaks, see decode.
var strictBase64 = base64.RawURLEncoding.Strict()

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

// decode appends the decoded segment to dst. One segment has one text only: otherwise a token could be changed without
// becoming invalid, and a denylist of tokens could be stepped around.
func decode(dst []byte, segment string) ([]byte, bool) {
	if strings.IndexByte(segment, '\n') >= 0 || strings.IndexByte(segment, '\r') >= 0 {
		return nil, false
	}
	dst, err := strictBase64.AppendDecode(dst, []byte(segment))
	return dst, err == nil
}
