package middleware

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A JSON reader of our own, because the two questions that matter here are those that encoding/json answers wrongly
// for a token: it takes the last of two members of one name, and it matches names without regard to case. It is
// stricter than RFC 8259 wherever two readers of one text could differ: members are unique at every depth, strings are
// valid UTF-8 without unpaired surrogates, numbers fit a float64, nothing follows the value, and depth is bounded
// because the text is unauthenticated.

const (
	maxDepth = 32
	fewNames = 16 // members of one object that are compared one by one; beyond, a map keeps the cost linear
)

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

// scanObject reads text as exactly one JSON object and calls member for each of its members, names unescaped and
// unique. It stops at the first error; member's errors are returned as they are.
func scanObject(text string, member func(name string, v value) error) error {
	if !utf8.ValidString(text) {
		return errJSON
	}
	p := scanner{s: text}
	p.space()
	if p.peek() != '{' {
		return errJSON
	}
	if err := p.object(1, member); err != nil {
		return err
	}
	p.space()
	if p.i != len(p.s) {
		return errJSON
	}
	return nil
}

// eachString calls f for the elements of an array of strings, whose text scanObject has accepted, until f returns
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
		if err := p.object(depth+1, nil); err != nil {
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

func (p *scanner) object(depth int, member func(string, value) error) error {
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
		if p.peek() != '"' {
			return errJSON
		}
		start := p.i
		escaped, err := p.str()
		if err != nil {
			return err
		}
		name := value{raw: p.s[start:p.i], escaped: escaped}.text()
		if !names.add(name) {
			return errJSON
		}
		p.space()
		if p.peek() != ':' {
			return errJSON
		}
		p.i++
		p.space()
		v, err := p.value(depth)
		if err != nil {
			return err
		}
		if member != nil {
			if err := member(name, v); err != nil {
				return err
			}
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
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return escaped, nil
		case c < 0x20:
			return false, errJSON
		case c == '\\':
			escaped = true
			n := escapeLen(p.s[p.i:])
			if n == 0 {
				return false, errJSON
			}
			p.i += n
		default:
			p.i++
		}
	}
	return false, errJSON
}

// escapeLen is the length of the escape at the beginning of s, 0 when it is not one. A surrogate without its other half
// is not: readers differ in what they make of it.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := hex4(s)
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			return 6
		}
		if r2, ok := hex4(s[6:]); ok && utf16.DecodeRune(r, r2) != utf8.RuneError {
			return 12
		}
	}
	return 0
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape resolves the escapes of a string that str has read.
func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		n := escapeLen(s[i:])
		switch s[i+1] {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, _ := hex4(s[i:])
			if n == 12 {
				r2, _ := hex4(s[i+6:])
				r = utf16.DecodeRune(r, r2)
			}
			b.WriteRune(r)
		default:
			b.WriteByte(s[i+1])
		}
		i += n
	}
	return b.String()
}

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

// A nameSet holds the names of one object's members.
type nameSet struct {
	few  [fewNames]string
	n    int
	many map[string]struct{}
}

// add reports false when name is there already.
func (s *nameSet) add(name string) bool {
	if s.many != nil {
		if _, dup := s.many[name]; dup {
			return false
		}
		s.many[name] = struct{}{}
		return true
	}
	for _, n := range s.few[:s.n] {
		if n == name {
			return false
		}
	}
	if s.n < fewNames {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 4*fewNames)
	for _, n := range s.few {
		s.many[n] = struct{}{}
	}
	s.many[name] = struct{}{}
	return true
}
