package middleware

import (
	"errors"
	"strings"
	"time"
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

func (c *claimSet) parse(text string) error {
	c.text = text
	err := scanObject(text, func(name string, v value) error {
		ok := true
		switch name {
		case "iss":
			c.has |= hasIss
			c.iss, ok = v.str()
		case "sub":
			c.has |= hasSub
			c.sub, ok = v.str()
		case "aud":
			c.has |= hasAud
			c.aud, ok = v, isStrings(v)
		case "exp":
			c.has |= hasExp
			c.expiry, ok = numericDate(v.raw)
		case "nbf":
			c.has |= hasNbf
			c.notBefore, ok = numericDate(v.raw)
		case "iat":
			c.has |= hasIat
			c.issued, ok = numericDate(v.raw)
		case "jti":
			c.has |= hasJti
			c.jti, ok = v.str()
		case "client_id":
			c.has |= hasClientID
			c.clientID, ok = v.str()
		case "azp":
			c.has |= hasAzp
			c.azp, ok = v.str()
		case "scope":
			c.has |= hasScope
			c.scope, ok = v, isStrings(v)
		case "scp":
			c.has |= hasScp
			c.scp, ok = v, isStrings(v)
		case "acr":
			c.has |= hasACR
			c.acr, ok = v.str()
		case "auth_time":
			c.has |= hasAuthTime
			c.authTime, ok = numericDate(v.raw)
		case "cnf":
			c.has |= hasCnf
			ok = v.kind() == '{'
		default:
			if foldsInto(name, claimNames) {
				return refuse(verdictFolded)
			}
		}
		if !ok {
			return refuse(verdictClaimType).about(name)
		}
		return nil
	})
	if errors.Is(err, errJSON) {
		return refuse(verdictPayload)
	}
	return err
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
