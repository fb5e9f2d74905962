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

var vocabulary = strictjson.NewVocabulary(claimNames...)

// bits are those of claimNames; claims that are not read here have none.
var bits = func() map[string]claimBits {
	m := map[string]claimBits{}
	for i := 0; 1<<i <= hasCnf; i++ {
		m[claimNames[i]] = 1 << i
	}
	return m
}()

// claims are what is read of a payload. The strings are parts of the payload's text.
type claims struct {
	present                           claimBits
	iss, sub, jti, clientID, azp, acr string
	times
	aud        []string
	scope, scp strictjson.Value
	payload    string
}

// times are zero where the claim is absent.
type times struct{ expiry, notBefore, issued, authenticated time.Time }

// parse reads a payload, which may be hostile: one strict JSON object, whose registered claims have their right types.
func (c *claims) parse(payload string) *refusal {
	c.payload = payload
	err := strictjson.Object(payload, func(name string, v strictjson.Value) error {
		var ok bool
		bit := bits[name]
		switch bit {
		case hasIss:
			c.iss, ok = v.Text()
		case hasSub:
			c.sub, ok = v.Text()
		case hasAud:
			c.aud, ok = stringList(v)
		case hasExp:
			c.expiry, ok = strictjson.NumericDate(v.Raw())
		case hasNbf:
			c.notBefore, ok = strictjson.NumericDate(v.Raw())
		case hasIat:
			c.issued, ok = strictjson.NumericDate(v.Raw())
		case hasJti:
			c.jti, ok = v.Text()
		case hasClientID:
			c.clientID, ok = v.Text()
		case hasAzp:
			c.azp, ok = v.Text()
		case hasScope:
			c.scope, ok = v, isStrings(v)
		case hasScp:
			c.scp, ok = v, isStrings(v)
		case hasACR:
			c.acr, ok = v.Text()
		case hasAuthTime:
			c.authenticated, ok = strictjson.NumericDate(v.Raw())
		case hasCnf:
			ok = v.Kind() == '{'
		default:
			// A handler that decodes the claims with encoding/json would read it as the claim.
			if vocabulary.Misspells(name) {
				return refuse(verdictFolded).withSubject(name)
			}
			return nil
		}
		if !ok {
			return refuse(verdictClaimType).withSubject(name)
		}
		c.present |= bit
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

// stringList returns the string or the strings of v. It reports false when v is neither.
func stringList(v strictjson.Value) ([]string, bool) {
	if text, ok := v.Text(); ok {
		return []string{text}, true
	}
	list := make([]string, 0, 4)
	ok := v.EachString(func(text string) bool {
		list = append(list, text)
		return true
	})
	return list, ok
}

// appendScopes appends the scopes of v: a string (RFC 6749, Section 3.3) is divided at spaces and at nothing else, the
// strings of an array are not.
func appendScopes(dst []string, v strictjson.Value) []string {
	text, ok := v.Text()
	if !ok {
		list, _ := stringList(v)
		return append(dst, list...)
	}
	return splitScopes(slices.Grow(dst, 1+strings.Count(text, " ")), text)
}

func splitScopes(dst []string, text string) []string {
	for scope := range strings.SplitSeq(text, " ") {
		if scope != "" {
			dst = append(dst, scope)
		}
	}
	return dst
}
