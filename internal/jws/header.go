package jws

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bearergate/bearergate/internal/strictjson"
	"github.com/bearergate/bearergate/internal/weburl"
)

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
			ok = !misspelt(name)
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
var members = []string{"alg", "typ", "kid", "crit", "b64", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"}

// misspelt reports whether name differs from one of members only by case, in the sense of Unicode: ſ is an s and K (the
// Kelvin sign) a k, as for encoding/json.
func misspelt(name string) bool {
	for _, member := range members {
		if name != member && strings.EqualFold(name, member) {
			return true
		}
	}
	return false
}
