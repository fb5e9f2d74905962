package middleware

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

// The texts below tell the operator what was there and what was wanted. They are made when somebody reads them: a flood
// of bad tokens that nobody logs does not pay for them. No client sees them.

// maxRepeated is how much is repeated of a token's strings, in bytes.
const maxRepeated = 128

// quote repeats a string of a token.
func quote(s string) string { return strconv.Quote(clip(s)) }

// quoteList repeats strings of a token.
func quoteList(list []string) string {
	const most = 8
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == most {
			fmt.Fprintf(&b, "and %d more", len(list)-most)
			break
		}
		b.WriteString(quote(s))
	}
	b.WriteByte(']')
	return b.String()
}

// explainAudience is for a token whose aud contains none of wanted.
func explainAudience(aud, wanted []string, owner string) func() string {
	return func() string {
		return fmt.Sprintf("aud %s contains none of %s %s", quoteList(aud), owner, quoteList(wanted))
	}
}

// explainIssuer is for a token of an issuer that is not configured.
func explainIssuer(name string, configured []*issuer) func() string {
	return func() string {
		var names []string
		differs := ""
		for _, iss := range configured {
			names = append(names, iss.Name)
			if differs == "" {
				differs = difference(name, iss.Name)
			}
		}
		return fmt.Sprintf("issuer %s is not configured (configured: %s%s)", quote(name), quoteList(names), differs)
	}
}

// difference names the one thing in which two issuers differ that are easily confused: they are compared as strings
// (RFC 8414, Section 3.3).
func difference(a, b string) string {
	if strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") {
		return "; differs only by a trailing slash"
	}
	u, err1 := url.Parse(a)
	v, err2 := url.Parse(b)
	if err1 != nil || err2 != nil || u.Host == "" || v.Host == "" || u.EscapedPath() != v.EscapedPath() {
		return ""
	}
	switch {
	case u.Host == v.Host && u.Scheme != v.Scheme:
		return "; differs only by the scheme"
	case u.Scheme == v.Scheme && u.Port() == v.Port() &&
		(strings.EqualFold(u.Hostname(), v.Hostname()) ||
			weburl.IsLoopback(u.Hostname()) && weburl.IsLoopback(v.Hostname())):
		return "; differs only by how the host is spelled"
	}
	return ""
}

// explainScopes is for a token that lacks a scope of the route.
func explainScopes(rt *route, tok *Token) func() string {
	return func() string {
		text := "requires"
		if len(rt.Scopes) > 0 {
			text += " scope " + strconv.Quote(strings.Join(rt.Scopes, " "))
		}
		if len(rt.AnyScope) > 0 {
			text += fmt.Sprintf(" one of the scopes %q", rt.AnyScope)
		}
		if len(tok.scopes) == 0 {
			return text + ", the token has none"
		}
		return text + ", the token has " + quote(strings.Join(tok.scopes, " "))
	}
}

// explainACR is for a token whose acr is none of the route's.
func explainACR(rt *route, tok *Token) func() string {
	return func() string {
		if tok.acr == "" {
			return fmt.Sprintf("acr is missing, requires one of %q", rt.ACR)
		}
		return fmt.Sprintf("acr is %s, requires one of %q", quote(tok.acr), rt.ACR)
	}
}

// explainAge is for a user who authenticated too long ago.
func explainAge(rt *route, tok *Token, now time.Time) func() string {
	return func() string {
		if tok.AuthTime().IsZero() {
			return fmt.Sprintf("auth_time is missing, requires authentication within %v", rt.MaxAge)
		}
		return fmt.Sprintf("the user authenticated %v ago, requires authentication within %v",
			now.Sub(tok.AuthTime()), rt.MaxAge)
	}
}
