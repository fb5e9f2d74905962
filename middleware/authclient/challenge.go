package authclient

import (
	"net/http"
	"strings"
)

// rejectsToken reports whether the header of a 401 says that the access token was rejected.
//
// RFC 6750, Section 3.1 lets a client request a new access token and retry for one error alone: invalid_token. The
// others would come again with any token: insufficient_scope (403), invalid_request, challenges for other
// credentials, and use_dpop_nonce, which is for whoever makes the proofs.
func rejectsToken(h http.Header) bool {
	for _, c := range parseChallenges(h) {
		if c.forToken() && c.params["error"] == "invalid_token" {
			return true
		}
	}
	return false
}

// maybeRejectsToken reports whether the header of a 401 gives no reason: it has no challenge at all, or one for an
// access token without an error.
func maybeRejectsToken(h http.Header) bool {
	for _, c := range parseChallenges(h) {
		if _, found := c.params["error"]; c.forToken() && !found {
			return true
		}
	}
	return len(h.Values("Www-Authenticate")) == 0
}

// challenge is one challenge of a WWW-Authenticate header (RFC 9110, Section 11.6.1).
type challenge struct {
	scheme string            // lower case
	params map[string]string // names in lower case; nil after a token68
}

// forToken reports whether the challenge asks for an access token.
func (c challenge) forToken() bool { return c.scheme == "bearer" || c.scheme == "dpop" }

// parseChallenges returns the challenges of all WWW-Authenticate lines of h, in order.
//
// It skips what it cannot parse up to the next comma. What came before counts; a parameter after it belongs to no
// challenge. A duplicate parameter has the value "", because nobody can say which one is meant.
func parseChallenges(h http.Header) []challenge {
	var all []challenge
	for _, line := range h.Values("Www-Authenticate") {
		p := challengeParser{rest: line}
		all = append(all, p.parse()...)
	}
	return all
}

type challengeParser struct {
	rest string
	all  []challenge
	open bool // the next parameter belongs to the last challenge in all
}

func (p *challengeParser) parse() []challenge {
	for {
		p.skip(" \t,") // empty list elements are allowed (RFC 9110, Section 5.6.1)
		if p.rest == "" {
			return p.all
		}
		if !p.element() {
			p.open = false
			p.skipElement()
		}
	}
}

// element parses one element of the comma-separated list: a parameter of the challenge before, or a new challenge with
// its first parameter, its token68 or neither. It reports whether it stopped at a comma or at the end.
func (p *challengeParser) element() bool {
	name := p.token()
	if name == "" {
		return false
	}
	after := p.skip(" \t")
	if strings.HasPrefix(p.rest, "=") {
		// This follows a comma, so it is a parameter: a token68 directly follows a scheme.
		return p.param(name)
	}
	p.all = append(p.all, challenge{scheme: strings.ToLower(name)})
	p.open = true
	if p.atEnd() {
		return true
	}
	if after == 0 {
		return false
	}
	if t := token68Length(p.rest); t > 0 {
		p.rest = p.rest[t:]
		p.open = false
		p.skip(" \t")
		return p.atEnd()
	}
	name = p.token()
	if name == "" {
		return false
	}
	p.skip(" \t")
	return p.param(name)
}

// param parses what follows a parameter's name, and adds it to the open challenge if there is one.
func (p *challengeParser) param(name string) bool {
	if !strings.HasPrefix(p.rest, "=") {
		return false
	}
	p.rest = p.rest[1:]
	p.skip(" \t")
	var value string
	if strings.HasPrefix(p.rest, `"`) {
		var ok bool
		if value, ok = p.quoted(); !ok {
			return false
		}
	} else if value = p.token(); value == "" {
		return false
	}
	if p.open {
		last := &p.all[len(p.all)-1]
		if last.params == nil {
			last.params = make(map[string]string)
		}
		name = strings.ToLower(name)
		if _, duplicate := last.params[name]; duplicate {
			value = ""
		}
		last.params[name] = value
	}
	p.skip(" \t")
	return p.atEnd()
}

// quoted parses a quoted-string (RFC 9110, Section 5.6.4).
func (p *challengeParser) quoted() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case '\\':
			if i++; i == len(p.rest) {
				return "", false
			}
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// skipElement skips to the next comma outside a quoted string.
func (p *challengeParser) skipElement() {
	quoted := false
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			p.rest = p.rest[i:]
			return
		}
	}
	p.rest = ""
}

func (p *challengeParser) token() string {
	n := 0
	for n < len(p.rest) && isTokenChar(p.rest[n]) {
		n++
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

// skip skips chars and returns how many there were.
func (p *challengeParser) skip(chars string) int {
	before := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, chars)
	return before - len(p.rest)
}

func (p *challengeParser) atEnd() bool { return p.rest == "" || p.rest[0] == ',' }

// token68Length returns the length of the token68 at the start of s (RFC 9110, Section 11.2), or 0 if s starts with
// something else, such as a parameter.
func token68Length(s string) int {
	n := 0
	for n < len(s) && (isAlphaNumeric(s[n]) || strings.IndexByte("-._~+/", s[n]) >= 0) {
		n++
	}
	if n == 0 {
		return 0
	}
	for n < len(s) && s[n] == '=' {
		n++
	}
	if end := strings.TrimLeft(s[n:], " \t"); end != "" && end[0] != ',' {
		return 0
	}
	return n
}

func isTokenChar(c byte) bool {
	return isAlphaNumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlphaNumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
