package strictjson

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
