package middleware

import (
	"strings"
	"time"
	"unicode/utf8"
)

// The claims that this package reads, as bits.
const (
	hasIss = 1 << iota
	hasSub
	hasAud
	hasExp
	hasNbf
	hasIat
	hasJti
	hasClientID
	hasAzp
	hasScope
	hasScp
	hasACR
	hasAuthTime
	hasCnf
)

// claimBits gives the names of the bits, for required claims.
var claimBits = map[string]int{
	"iss": hasIss, "sub": hasSub, "aud": hasAud, "exp": hasExp, "nbf": hasNbf, "iat": hasIat, "jti": hasJti,
	"client_id": hasClientID, "azp": hasAzp, "scope": hasScope, "scp": hasScp, "acr": hasACR, "auth_time": hasAuthTime,
	"cnf": hasCnf,
}

// claimNames are those and the ones that later readers act upon: none of them may come in another case.
var claimNames = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "azp", "scope", "scp", "acr", "auth_time", "cnf",
	"amr", "act", "may_act", "roles", "groups", "entitlements", "sid",
}

// A claimSet is what is read of a payload. Its strings are parts of the payload's text.
type claimSet struct {
	has                                 int
	iss, sub, jti, clientID, azp, acr   string
	expiry, notBefore, issued, authTime time.Time
	aud, scope, scp                     value
	text                                string
}

// parse reads a payload. That a name is registered says that its bit is there twice if the name is; the others are
// compared one by one.
func (c *claimSet) parse(text string) error {
	c.text = text
	if !utf8.ValidString(text) {
		return errPayload
	}
	var m members
	for m.begin(text); m.next(); {
		v, bit, ok := m.value, 0, true
		switch m.name {
		case "iss":
			bit = hasIss
			c.iss, ok = v.str()
		case "sub":
			bit = hasSub
			c.sub, ok = v.str()
		case "aud":
			bit = hasAud
			c.aud, ok = v, isStrings(v)
		case "exp":
			bit = hasExp
			c.expiry, ok = numericDate(v.raw)
		case "nbf":
			bit = hasNbf
			c.notBefore, ok = numericDate(v.raw)
		case "iat":
			bit = hasIat
			c.issued, ok = numericDate(v.raw)
		case "jti":
			bit = hasJti
			c.jti, ok = v.str()
		case "client_id":
			bit = hasClientID
			c.clientID, ok = v.str()
		case "azp":
			bit = hasAzp
			c.azp, ok = v.str()
		case "scope":
			bit = hasScope
			c.scope, ok = v, isStrings(v)
		case "scp":
			bit = hasScp
			c.scp, ok = v, isStrings(v)
		case "acr":
			bit = hasACR
			c.acr, ok = v.str()
		case "auth_time":
			bit = hasAuthTime
			c.authTime, ok = numericDate(v.raw)
		case "cnf":
			bit = hasCnf
			ok = v.kind() == '{'
		default:
			if !m.add() {
				return errPayload
			}
			if foldsInto(m.name, claimNames) {
				return refuse(verdictFolded)
			}
		}
		if c.has&bit != 0 {
			return errPayload
		}
		c.has |= bit
		if !ok {
			return refuse(verdictClaimType).about(m.name)
		}
	}
	if !m.ended() {
		return errPayload
	}
	return nil
}

// isStrings reports whether v is a string or an array of strings (RFC 7519 §4.1.3 for aud; issuers differ for scope).
func isStrings(v value) bool {
	switch v.kind() {
	case '"':
		return true
	case '[':
		return eachString(v, func(string) bool { return true })
	}
	return false
}

// strings returns the string or strings of v; a single string is divided at spaces when divide is set.
func stringsOf(dst []string, v value, divide bool) []string {
	if v.raw == "" {
		return dst
	}
	if s, ok := v.str(); ok {
		if !divide {
			return append(dst, s)
		}
		return appendScopes(dst, s)
	}
	eachString(v, func(s string) bool {
		dst = append(dst, s)
		return true
	})
	return dst
}

// appendScopes appends the scopes of a scope string (RFC 6749 §3.3), which are divided by spaces and by nothing else.
func appendScopes(dst []string, scope string) []string {
	for scope != "" {
		var one string
		one, scope, _ = strings.Cut(scope, " ")
		if one != "" {
			dst = append(dst, one)
		}
	}
	return dst
}
