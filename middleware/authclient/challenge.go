package authclient

import (
	"net/http"
	"strings"
)

// challenge is one of a WWW-Authenticate header (RFC 9110, section 11.6.1).
type challenge struct {
	scheme string            // lower case
	params map[string]string // names in lower case; nil after a token68
}

// parseChallenges returns the challenges of all WWW-Authenticate lines of h, in order.
//
// What can't be parsed is skipped up to the next comma: what stood before it counts, a parameter after it belongs to no
// challenge. A parameter that is there twice has no value, since nobody can say which is meant.
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
	open bool // a parameter may follow for the last of all
}

func (p *challengeParser) parse() []challenge {
	for {
		p.skip(" \t,") // empty list elements are allowed (RFC 9110, section 5.6.1)
		if p.rest == "" {
			return p.all
		}
		if !p.element() {
			p.open = false
			p.resync()
		}
	}
}

// element parses one element of the comma-separated list: a parameter of the challenge before, or a new challenge with its
// first parameter, its token68 or neither. It reports whether it ended at a comma or at the end.
func (p *challengeParser) element() bool {
	name := p.token()
	if name == "" {
		return false
	}
	after := p.skip(" \t")
	if strings.HasPrefix(p.rest, "=") {
		// A comma stood before: token68 comes right after a scheme only.
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

// param parses what follows a parameter's name and gives it to the open challenge, if there is one.
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
		if _, twice := last.params[name]; twice {
			value = ""
		}
		last.params[name] = value
	}
	p.skip(" \t")
	return p.atEnd()
}

// quoted takes a quoted-string (RFC 9110, section 5.6.4).
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

// resync goes to the next comma that stands in no quoted string.
func (p *challengeParser) resync() {
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

func (p *challengeParser) skip(chars string) int {
	before := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, chars)
	return before - len(p.rest)
}

func (p *challengeParser) atEnd() bool { return p.rest == "" || p.rest[0] == ',' }

// token68Length returns the length of the token68 (RFC 9110, section 11.2) that s begins with, 0 if what it begins with
// is none or is a parameter.
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
