package middleware

import "strings"

// quoted returns s as a quoted-string (RFC 9110, Section 5.6.4). Characters that have no place in a header field become
// "?".
func quoted(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7F:
			b.WriteByte('?')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// sanitise makes s fit for error_description, %x20-21 / %x23-5B / %x5D-7E (RFC 6750, Section 3): quotes become
// apostrophes, anything else outside becomes "?".
func sanitise(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < 0x20 || r > 0x7E || r == '\\':
			return '?'
		}
		return r
	}, s)
}

// isScopeToken reports whether s is a scope-token (RFC 6749, Section 3.3): 1*( %x21 / %x23-5B / %x5D-7E ).
func isScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7E || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}
