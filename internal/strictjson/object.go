package strictjson

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/bearergate/bearergate/internal/weburl"
)

// Object reads text as exactly one JSON object and calls member for each of its members, in their order; name is
// unescaped. It returns [ErrSyntax], or the first error of member as it is. Members are passed on as they are read: what
// member did with them counts only when Object returns nil.
func Object(text string, member func(name string, value Value) error) error {
	if !utf8.ValidString(text) {
		return errUTF8
	}
	s := scanner{text: text}
	s.space()
	if s.peek() != '{' {
		return ErrSyntax
	}
	if err := s.object(1, member); err != nil {
		return err
	}
	s.space()
	if s.pos != len(text) {
		return errTrailing
	}
	return nil
}

// object reads the object that begins here. member may be nil.
func (s *scanner) object(depth int, member func(string, Value) error) error {
	if depth > maxDepth {
		return errDepth
	}
	s.pos++ // {
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	var names nameSet
	for {
		name, err := s.name()
		if err != nil {
			return err
		}
		if !names.add(name) {
			return fmt.Errorf("%w %q", ErrDuplicate, weburl.Clip(name, 64))
		}
		value, err := s.value(depth)
		if err != nil {
			return err
		}
		if member != nil {
			if err := member(name, value); err != nil {
				return err
			}
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			s.pos++
			return nil
		default:
			return ErrSyntax
		}
	}
}

// name reads a member's name, unescaped, and the colon.
func (s *scanner) name() (string, error) {
	if s.peek() != '"' {
		return "", ErrSyntax
	}
	start := s.pos
	escaped, err := s.string()
	if err != nil {
		return "", err
	}
	name, _ := Value{text: s.text[start:s.pos], escaped: escaped}.Text()
	s.space()
	if s.peek() != ':' {
		return "", ErrSyntax
	}
	s.pos++
	s.space()
	return name, nil
}

// maxListed names of one object are compared one by one; beyond that, a map keeps the cost linear.
const maxListed = 16

// A nameSet holds the names of one object's members.
type nameSet struct {
	list  [maxListed]string
	n     int
	index map[string]struct{}
}

// add reports false when the set has name already.
func (s *nameSet) add(name string) bool {
	if s.index != nil {
		_, found := s.index[name]
		s.index[name] = struct{}{}
		return !found
	}
	if slices.Contains(s.list[:s.n], name) {
		return false
	}
	if s.n < maxListed {
		s.list[s.n] = name
		s.n++
		return true
	}
	s.index = make(map[string]struct{}, 4*maxListed)
	for _, known := range s.list {
		s.index[known] = struct{}{}
	}
	s.index[name] = struct{}{}
	return true
}

// A Value is the text of one JSON value that was read. The zero Value stands for none.
type Value struct {
	text    string
	escaped bool // a string with escapes
}

// Raw returns the value as it was written, "" for none.
func (v Value) Raw() string { return v.text }

// Kind returns the first byte of the value: '"', '{', '[', 't', 'f', 'n', '-' or a digit; 0 for none.
func (v Value) Kind() byte {
	if v.text == "" {
		return 0
	}
	return v.text[0]
}

// Text returns the string that v is, unescaped. It reports false when v is not a string.
func (v Value) Text() (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	inner := v.text[1 : len(v.text)-1]
	if v.escaped {
		inner = unescape(inner)
	}
	return inner, true
}

// EachString calls f for every element of an array of strings, until f returns false. It reports whether v is an array
// and all elements that it looked at are strings.
func (v Value) EachString(f func(string) bool) bool {
	if v.Kind() != '[' {
		return false
	}
	s := scanner{text: v.text, pos: 1} // the array was read before, so that its syntax is right
	for {
		s.space()
		switch s.peek() {
		case ']':
			return true
		case ',':
			s.pos++
			continue
		case '"':
		default:
			return false
		}
		start := s.pos
		escaped, err := s.string()
		if err != nil {
			return false
		}
		if text, _ := (Value{text: s.text[start:s.pos], escaped: escaped}).Text(); !f(text) {
			return true
		}
	}
}
