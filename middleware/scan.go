package middleware

import (
	"errors"
	"strconv"
	"strings"
)

// A JSON reader of our own, because the two questions that matter here are those that encoding/json answers wrongly
// for a token: it takes the last of two members of one name, and it matches names without regard to case. It is
// stricter than RFC 8259 wherever two readers of one text could differ: members are unique at every depth, strings are
// valid UTF-8 without unpaired surrogates, numbers fit a float64, nothing follows the value, and depth is bounded
// because the text is unauthenticated.

const maxDepth = 32

var errJSON = errors.New("not one strict JSON object")

// A value is one member's value: its text, and for strings whether it has escapes.
type value struct {
	raw     string
	escaped bool
}

func (v value) kind() byte { return v.raw[0] }

// str returns the string that v is, and false when it is not one.
func (v value) str() (string, bool) {
	if v.raw[0] != '"' {
		return "", false
	}
	return v.text(), true
}

// text is the content of a string value.
func (v value) text() string {
	inner := v.raw[1 : len(v.raw)-1]
	if !v.escaped {
		return inner
	}
	return unescape(inner)
}

// eachString calls f for the elements of an array of strings, whose text was accepted before, until f returns
// false. It reports whether all elements that it saw are strings.
func eachString(array value, f func(string) bool) bool {
	p := scanner{s: array.raw, i: 1}
	for {
		p.space()
		switch p.peek() {
		case ']':
			return true
		case ',':
			p.i++
			continue
		case '"':
		default:
			return false
		}
		start := p.i
		escaped, err := p.str()
		if err != nil {
			return false
		}
		if !f(value{raw: p.s[start:p.i], escaped: escaped}.text()) {
			return true
		}
	}
}

type scanner struct {
	s string
	i int
}

func (p *scanner) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *scanner) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

func (p *scanner) value(depth int) (value, error) {
	start := p.i
	switch c := p.peek(); c {
	case '"':
		escaped, err := p.str()
		if err != nil {
			return value{}, err
		}
		return value{raw: p.s[start:p.i], escaped: escaped}, nil
	case '{':
		if err := p.object(depth + 1); err != nil {
			return value{}, err
		}
	case '[':
		if err := p.array(depth + 1); err != nil {
			return value{}, err
		}
	case 't', 'f', 'n':
		word := "true"
		if c == 'f' {
			word = "false"
		} else if c == 'n' {
			word = "null"
		}
		if !strings.HasPrefix(p.s[p.i:], word) {
			return value{}, errJSON
		}
		p.i += len(word)
	default:
		if err := p.number(); err != nil {
			return value{}, err
		}
	}
	return value{raw: p.s[start:p.i]}, nil
}

// object reads an object inside the outermost one.
func (p *scanner) object(depth int) error {
	if depth > maxDepth {
		return errJSON
	}
	p.i++ // {
	p.space()
	if p.peek() == '}' {
		p.i++
		return nil
	}
	var names nameSet
	for {
		name, ok := p.name()
		if !ok || !names.add(name) {
			return errJSON
		}
		if _, err := p.value(depth); err != nil {
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
		case '}':
			p.i++
			return nil
		default:
			return errJSON
		}
	}
}

// name reads a member's name, unescaped, and the colon.
func (p *scanner) name() (name string, ok bool) {
	if p.peek() != '"' {
		return "", false
	}
	start := p.i
	escaped, err := p.str()
	if err != nil {
		return "", false
	}
	name = p.s[start+1 : p.i-1]
	if escaped {
		name = unescape(name)
	}
	p.space()
	if p.peek() != ':' {
		return "", false
	}
	p.i++
	p.space()
	return name, true
}

func (p *scanner) array(depth int) error {
	if depth > maxDepth {
		return errJSON
	}
	p.i++ // [
	p.space()
	if p.peek() == ']' {
		p.i++
		return nil
	}
	for {
		if _, err := p.value(depth); err != nil {
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.space()
		case ']':
			p.i++
			return nil
		default:
			return errJSON
		}
	}
}

// str reads a string and reports whether it has escapes. Every escape is checked here, so that unescape can't fail.
func (p *scanner) str() (escaped bool, err error) {
	p.i++ // "
	for {
		for p.i < len(p.s) && !special[p.s[p.i]] {
			p.i++
		}
		if p.i == len(p.s) {
			return false, errJSON
		}
		switch p.s[p.i] {
		case '"':
			p.i++
			return escaped, nil
		case '\\':
			escaped = true
			n := escapeLen(p.s[p.i:])
			if n == 0 {
				return false, errJSON
			}
			p.i += n
		default:
			return false, errJSON // a control character
		}
	}
}

// special are the bytes that mean something in a string.
var special = func() (set [256]bool) {
	for c := range 0x20 {
		set[c] = true
	}
	set['"'], set['\\'] = true, true
	return set
}()

// number reads a number by the grammar of RFC 8259 §6 and refuses what no float64 can hold.
func (p *scanner) number() error {
	start := p.i
	if p.peek() == '-' {
		p.i++
	}
	if p.peek() == '0' {
		p.i++
	} else if p.digits() == 0 {
		return errJSON
	}
	if p.peek() == '.' {
		p.i++
		if p.digits() == 0 {
			return errJSON
		}
	}
	wide := p.i-start > 300
	if c := p.peek(); c == 'e' || c == 'E' {
		wide = true
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if p.digits() == 0 {
			return errJSON
		}
	}
	if wide {
		if _, err := strconv.ParseFloat(p.s[start:p.i], 64); err != nil {
			return errJSON
		}
	}
	return nil
}

func (p *scanner) digits() int {
	start := p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i - start
}
