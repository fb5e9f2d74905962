package strictjson

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrSyntax says that a text is not one JSON object by the rules of this package. What is wrong follows in the texts of the
// errors that wrap it. They have no prefix: they become part of the caller's.
var ErrSyntax = errors.New("not one strict JSON object")

// ErrDuplicate says that an object has a member twice. It wraps [ErrSyntax].
var ErrDuplicate = fmt.Errorf("%w: duplicate member", ErrSyntax)

var (
	errUTF8     = fmt.Errorf("%w: invalid UTF-8", ErrSyntax)
	errDepth    = fmt.Errorf("%w: nested deeper than %d", ErrSyntax, maxDepth)
	errEscape   = fmt.Errorf("%w: an invalid escape, or half a surrogate pair", ErrSyntax)
	errRange    = fmt.Errorf("%w: a number is out of range", ErrSyntax)
	errTrailing = fmt.Errorf("%w: something follows it", ErrSyntax)
)

// maxDepth bounds the recursion that an unauthenticated text can cause.
const maxDepth = 32

type scanner struct {
	text string
	pos  int
}

func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// value reads one value inside an object or array of that depth.
func (s *scanner) value(depth int) (Value, error) {
	start := s.pos
	var escaped bool
	var err error
	switch s.peek() {
	case '"':
		escaped, err = s.string()
	case '{':
		err = s.object(depth+1, nil)
	case '[':
		err = s.array(depth + 1)
	case 't':
		err = s.word("true")
	case 'f':
		err = s.word("false")
	case 'n':
		err = s.word("null")
	default:
		err = s.number()
	}
	if err != nil {
		return Value{}, err
	}
	return Value{text: s.text[start:s.pos], escaped: escaped}, nil
}

func (s *scanner) word(word string) error {
	if !strings.HasPrefix(s.text[s.pos:], word) {
		return ErrSyntax
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) array(depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	s.pos++ // [
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if _, err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			return nil
		default:
			return ErrSyntax
		}
	}
}

// string reads a string and reports whether it has escapes. Every escape is checked here, so that unescape can't fail.
func (s *scanner) string() (escaped bool, err error) {
	text, i := s.text, s.pos+1
	for i < len(text) {
		switch c := text[i]; {
		case c == '"':
			s.pos = i + 1
			return escaped, nil
		case c == '\\':
			escaped = true
			n := escapeLen(text[i:])
			if n == 0 {
				return false, errEscape
			}
			i += n
		case c < 0x20:
			return false, ErrSyntax // a control character: RFC 8259, Section 7
		default:
			i++
		}
	}
	return false, ErrSyntax
}

// number reads a number by the grammar of RFC 8259, Section 6, and refuses what no float64 can hold.
func (s *scanner) number() error {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if s.digits() == 0 {
		return ErrSyntax
	}
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			return ErrSyntax
		}
	}
	large := s.pos-start > 300
	if c := s.peek(); c == 'e' || c == 'E' {
		large = true
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			return ErrSyntax
		}
	}
	if large {
		if _, err := strconv.ParseFloat(s.text[start:s.pos], 64); err != nil {
			return errRange
		}
	}
	return nil
}

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}
