package middleware

import "strings"

// types are the acceptable typ of the issuer's tokens, normalised; nil means all.
func (i *Issuer) types() []string {
	names := i.Types
	if names == nil {
		switch i.Profile {
		case RFC9068:
			return []string{"at+jwt"}
		case ASPNET:
			return nil
		default:
			return []string{"at+jwt", "jwt", ""}
		}
	}
	types := make([]string, 0, len(names))
	for _, name := range names {
		types = append(types, normalType(name))
	}
	return types
}

// normalType makes a typ comparable: media types don't care for case, and "application/" may be left out (RFC 7515
// §4.1.9). It folds ASCII only.
func normalType(typ string) string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, typ)
	if rest, ok := strings.CutPrefix(lower, "application/"); ok && !strings.Contains(rest, "/") {
		return rest
	}
	return lower
}

// acceptsType reports whether h has a typ that tokens of this issuer may have. A typ that is there and empty is never
// one.
func (iss *issuer) acceptsType(h *header) bool {
	if iss.types == nil {
		return true
	}
	if h.hasTyp && h.typ == "" {
		return false
	}
	for _, t := range iss.types {
		if t == h.media {
			return true
		}
	}
	return false
}
