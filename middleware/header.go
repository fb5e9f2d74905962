package middleware

import (
	"strings"
	"unicode/utf8"
)

// maxKeyID bounds kid: it is looked up, logged and remembered by key sources.
const maxKeyID = 256

// A header is what is read of a JOSE header. jku, jwk, x5u and x5c are not: a token must not choose the key that
// verifies it (RFC 8725 §3.10).
type header struct {
	alg, typ, kid string
	hasTyp        bool
	media         string // typ, normalised
}

func (h *header) parse(text string) error {
	if !utf8.ValidString(text) {
		return errHeader
	}
	var m members
	for m.begin(text); m.next(); {
		if !m.add() {
			return errHeader
		}
		v, ok := m.value, true
		switch m.name {
		case "alg":
			h.alg, ok = v.str()
		case "typ":
			h.typ, ok = v.str()
			h.hasTyp = true
			h.media = normalType(h.typ)
		case "kid":
			if h.kid, ok = v.str(); !ok || len(h.kid) > maxKeyID {
				return errKeyID
			}
		case "crit", "b64":
			// Both change how the rest is to be understood, and none of the extensions is (RFC 7515 §4.1.11, RFC 7797).
			return refuse(verdictCritical)
		default:
			ok = !foldsInto(m.name, headerNames)
		}
		if !ok {
			return errHeader
		}
	}
	if !m.ended() || h.alg == "" {
		return errHeader
	}
	return nil
}

// headerNames are the names that are read here, or by a reader after us that does not care for case.
var headerNames = []string{"alg", "typ", "kid", "crit", "b64", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"}

// foldsInto reports whether name differs from one of the names only by case, in the sense of Unicode: ſ is an s and K
// (the Kelvin sign) a k, as for encoding/json.
func foldsInto(name string, names []string) bool {
	plain := true
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		// x5t#S256 is the only name with a capital.
		return len(name) == 8 && name == "x5t#s256"
	}
	for _, n := range names {
		if name != n && strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}
