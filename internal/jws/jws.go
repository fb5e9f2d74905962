// Package jws reads the compact form of a signed token (RFC 7515, Section 7.1) strictly: one token has one text, and no
// second reader can understand its header differently. It verifies nothing: the caller asks the key ([Message.Input],
// [Message.Signature]) and reads the payload.
package jws

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The errors of [Parse]. Their texts have no prefix: they become part of the caller's.
var (
	// ErrMalformed says that the text is not three segments of canonical base64url.
	ErrMalformed = errors.New("not a JWT")

	// ErrHeader says that the header is not one strict JSON object with alg, or has a member of the wrong type.
	ErrHeader = errors.New("malformed header")

	// ErrKeyID says that kid is not a string of at most 256 bytes.
	ErrKeyID = errors.New("kid is not a string of at most 256 bytes")

	// ErrCritical says that the header has crit or b64.
	ErrCritical = errors.New("the header has crit or b64")
)

// A Message is a signed token whose form is right. Nothing in it is authenticated before its signature is verified.
type Message struct {
	Header    Header
	Payload   string
	Input     []byte // what is signed: the first two segments and the dot between them
	Signature []byte
}

// Parse reads the compact form. Its error wraps one of this package's; the Header is filled in as far as it was read.
// The length of raw is the caller's to bound; the work is linear in it.
func Parse(raw string) (*Message, error) {
	m := &Message{}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if header == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return m, fmt.Errorf("%w: %s", ErrMalformed, describe(raw))
	}
	var texts [3][]byte
	for i, segment := range [...]string{header, payload, signature} {
		text, err := decode(segment)
		if err != nil {
			return m, err
		}
		texts[i] = text
	}
	m.Payload, m.Signature = string(texts[1]), texts[2]
	m.Input = []byte(raw[:len(header)+1+len(payload)])
	return m, m.Header.parse(string(texts[0]))
}

var encoding = base64.RawURLEncoding.Strict()

// decode reads a segment. One segment has one text only: no padding, no line break and no stray bits in the last
// character (RFC 7515, Section 2). Otherwise a token could be changed without becoming invalid, and whoever compares the
// texts of tokens could be deceived.
func decode(segment string) ([]byte, error) {
	if strings.ContainsAny(segment, "\r\n") { // which encoding/base64 skips
		return nil, fmt.Errorf("%w: a line break", ErrMalformed)
	}
	text, err := encoding.DecodeString(segment)
	switch {
	case err == nil:
		return text, nil
	case strings.HasSuffix(segment, "="):
		return nil, fmt.Errorf("%w: base64 with padding", ErrMalformed)
	}
	return nil, fmt.Errorf("%w: not canonical base64url", ErrMalformed)
}

// describe says what a text with the wrong number of segments may be, without repeating any of it.
func describe(raw string) string {
	if scheme, _, found := strings.Cut(raw, " "); found && strings.EqualFold(scheme, "Bearer") {
		return `it starts with "Bearer "`
	}
	switch n := 1 + strings.Count(raw, "."); n {
	case 1:
		return "1 segment instead of 3 (an opaque token?)"
	case 3:
		return "an empty segment"
	case 5:
		return "5 segments: an encrypted token"
	default:
		return fmt.Sprintf("%d segments instead of 3", n)
	}
}
