// Package jws reads the compact form of a signed token (RFC 7515, Section 7.1) strictly: one token has one text, and no
// second reader can understand its header differently. It verifies nothing: the caller asks the key ([Message.Input],
// [Message.Signature]) and reads the payload.
package jws

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/bearergate/bearergate/internal/strictjson"
	"github.com/bearergate/bearergate/internal/weburl"
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
func Parse(raw string) (m Message, err error) {
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if header == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return m, fmt.Errorf("%w: %s", ErrMalformed, describe(raw))
	}
	text := []byte(raw)
	decoded := make([]byte, 0, encoding.DecodedLen(len(raw)))
	var ends [3]int
	start := 0
	for i, segment := range [...]string{header, payload, signature} {
		if decoded, err = appendDecoded(decoded, text[start:start+len(segment)]); err != nil {
			return m, err
		}
		ends[i] = len(decoded)
		start += len(segment) + 1
	}
	texts := string(decoded[:ends[1]])
	m.Payload, m.Signature = texts[ends[0]:], decoded[ends[1]:]
	m.Input = text[:len(header)+1+len(payload)]
	return m, m.Header.parse(texts[:ends[0]])
}

var encoding = base64.RawURLEncoding.Strict()

// appendDecoded decodes a segment. One segment has one text only: no padding, no line break and no stray bits in the last
// character (RFC 7515, Section 2). Otherwise a token could be changed without becoming invalid, and whoever compares the
// texts of tokens could be deceived.
func appendDecoded(dst, segment []byte) ([]byte, error) {
	if bytes.IndexByte(segment, '\n') >= 0 || bytes.IndexByte(segment, '\r') >= 0 { // which encoding/base64 skips
		return nil, fmt.Errorf("%w: a line break", ErrMalformed)
	}
	text, err := encoding.AppendDecode(dst, segment)
	switch {
	case err == nil:
		return text, nil
	case segment[len(segment)-1] == '=':
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

// maxKeyID bounds kid, in bytes: it is looked up, logged and cached by key sources.
const maxKeyID = 256

// A Header is what is read of a JOSE header. jku, jwk, x5u and x5c are not: a token must not choose the key that
// verifies it (RFC 8725, Section 3.10).
type Header struct {
	Algorithm string // alg, never empty
	Type      string // typ
	HasType   bool   // a typ that is there may be empty
	KeyID     string // kid
}

func (h *Header) parse(text string) error {
	err := strictjson.Object(text, func(name string, value strictjson.Value) error {
		var ok bool
		switch name {
		case "alg":
			h.Algorithm, ok = value.Text()
		case "typ":
			h.HasType = true
			h.Type, ok = value.Text()
		case "kid":
			if h.KeyID, ok = value.Text(); !ok || len(h.KeyID) > maxKeyID {
				h.KeyID = ""
				return ErrKeyID
			}
		case "crit", "b64":
			// Both change how the rest is to be understood, and no extension is understood here (RFC 7515, Section 4.1.11,
			// and RFC 7797).
			return ErrCritical
		default:
			ok = !members.Misspells(name)
		}
		if !ok {
			return fmt.Errorf("%w: member %q", ErrHeader, weburl.Clip(name, 64))
		}
		return nil
	})
	switch {
	case errors.Is(err, strictjson.ErrSyntax):
		return fmt.Errorf("%w: %w", ErrHeader, err)
	case err == nil && h.Algorithm == "":
		return fmt.Errorf("%w: no alg", ErrHeader)
	}
	return err
}

// members are the names that are read here, or by another reader that does not care for case.
var members = strictjson.NewVocabulary("alg", "typ", "kid", "crit", "b64", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256")
