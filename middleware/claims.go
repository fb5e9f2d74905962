package middleware

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/strictjson"
)

// claimBits are the claims that this package reads, as bits.
type claimBits uint16

const (
	hasIss claimBits = 1 << iota
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

// claimNames are the names of the bits, in their order, and of claims that later readers act upon: none of them may
// come in another case.
var claimNames = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "azp", "scope", "scp", "acr", "auth_time", "cnf",
	"amr", "act", "may_act", "roles", "groups", "entitlements", "sid",
}

// bitOf returns 0 for claims that are not read here.
func bitOf(name string) claimBits {
	if i := slices.Index(claimNames, name); i >= 0 && 1<<i <= hasCnf {
		return 1 << i
	}
	return 0
}

// claims are what is read of a payload. The strings are parts of the payload's text.
type claims struct {
	present                           claimBits
	iss, sub, jti, clientID, azp, acr string
	times
	aud, scope, scp strictjson.Value
	payload         string
}

// times are zero where the claim is absent.
type times struct{ expiry, notBefore, issued, authenticated time.Time }

// parse reads a payload, which may be hostile: one strict JSON object, whose registered claims have their right types.
func (c *claims) parse(payload string) *refusal {
	c.payload = payload
	err := strictjson.Object(payload, func(name string, v strictjson.Value) error {
		var ok bool
		switch name {
		case "iss":
			c.iss, ok = v.Text()
		case "sub":
			c.sub, ok = v.Text()
		case "aud":
			c.aud, ok = v, isStrings(v)
		case "exp":
			c.expiry, ok = strictjson.NumericDate(v.Raw())
		case "nbf":
			c.notBefore, ok = strictjson.NumericDate(v.Raw())
		case "iat":
			c.issued, ok = strictjson.NumericDate(v.Raw())
		case "jti":
			c.jti, ok = v.Text()
		case "client_id":
			c.clientID, ok = v.Text()
		case "azp":
			c.azp, ok = v.Text()
		case "scope":
			c.scope, ok = v, isStrings(v)
		case "scp":
			c.scp, ok = v, isStrings(v)
		case "acr":
			c.acr, ok = v.Text()
		case "auth_time":
			c.authenticated, ok = strictjson.NumericDate(v.Raw())
		case "cnf":
			ok = v.Kind() == '{'
		default:
			// A handler that decodes the claims with encoding/json would read it as the claim.
			if strictjson.Misspelt(name, claimNames) {
				return refuse(verdictFolded).withSubject(name)
			}
			return nil
		}
		if !ok {
			return refuse(verdictClaimType).withSubject(name)
		}
		c.present |= bitOf(name)
		return nil
	})
	if errors.Is(err, strictjson.ErrSyntax) {
		return refuse(verdictPayload).withDetail(func() string { return "malformed payload: " + err.Error() })
	}
	return refusalOf(err)
}

// isStrings reports whether v is a string or an array of strings (RFC 7519, Section 4.1.3, for aud; issuers differ for
// scope).
func isStrings(v strictjson.Value) bool {
	return v.Kind() == '"' || v.EachString(func(string) bool { return true })
}

// appendStrings appends the string or strings of v.
func appendStrings(dst []string, v strictjson.Value) []string {
	if text, ok := v.Text(); ok {
		return append(dst, text)
	}
	v.EachString(func(text string) bool {
		dst = append(dst, text)
		return true
	})
	return dst
}

// appendScopes appends the scopes of v: a string (RFC 6749, Section 3.3) is divided at spaces and at nothing else, the
// strings of an array are not.
func appendScopes(dst []string, v strictjson.Value) []string {
	text, ok := v.Text()
	if !ok {
		return appendStrings(dst, v)
	}
	return splitScopes(dst, text)
}

func splitScopes(dst []string, text string) []string {
	for scope := range strings.SplitSeq(text, " ") {
		if scope != "" {
			dst = append(dst, scope)
		}
	}
	return dst
}
