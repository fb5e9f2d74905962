package authserver

import (
	"encoding/json"
	"strconv"
)

// object writes a JSON object, member after member. Tokens and answers are made of it: encoding/json finds out by reflection, for each
// of them, what is known here.
type object struct {
	text []byte
	err  error
}

// newObject makes room for so many bytes.
func newObject(room int) object { return object{text: make([]byte, 0, room)} }

// name begins a member. Names are the server's own and need no escaping.
func (o *object) name(name string) {
	begin := byte(',')
	if len(o.text) == 0 {
		begin = '{'
	}
	o.text = append(append(append(o.text, begin, '"'), name...), `":`...)
}

func (o *object) string(name, value string) {
	o.name(name)
	o.value(value)
}

// optional leaves an empty string out.
func (o *object) optional(name, value string) {
	if value != "" {
		o.string(name, value)
	}
}

func (o *object) number(name string, n int64) {
	o.name(name)
	o.text = strconv.AppendInt(o.text, n, 10)
}

func (o *object) strings(name string, values []string) {
	o.name(name)
	o.text = append(o.text, '[')
	for i, v := range values {
		if i > 0 {
			o.text = append(o.text, ',')
		}
		o.value(v)
	}
	o.text = append(o.text, ']')
}

// value writes a string as encoding/json does, and leaves to it whatever has to be escaped.
func (o *object) value(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			o.raw(json.Marshal(s))
			return
		}
	}
	o.text = append(append(append(o.text, '"'), s...), '"')
}

func (o *object) raw(text []byte, err error) {
	o.text = append(o.text, text...)
	if o.err == nil {
		o.err = err
	}
}

// members adds those of a map, none of which has a name that is there already.
func (o *object) members(more map[string]any) {
	if len(more) == 0 {
		return
	}
	text, err := json.Marshal(more)
	if err != nil {
		o.err = err
		return
	}
	o.text = append(append(o.text, ','), text[1:len(text)-1]...) // without its braces
}

// end returns the object, which has at least one member.
func (o *object) end() ([]byte, error) {
	if o.err != nil {
		return nil, o.err
	}
	return append(o.text, '}'), nil
}
