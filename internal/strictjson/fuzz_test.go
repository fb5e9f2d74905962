package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bearergate/bearergate/internal/strictjson"
)

// reference accepts one object of valid UTF-8 without a member twice at any depth and nothing behind it, by the tokens
// of encoding/json.
func reference(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	tok, err := dec.Token()
	if err != nil || tok != json.Delim('{') {
		return errors.New("not an object")
	}
	if err := members(dec); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return json.Unmarshal(text, &map[string]any{})
}

// members reads the rest of an object.
func members(dec *json.Decoder) error {
	names := map[string]bool{}
	for {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			return nil
		}
		name := tok.(string)
		if names[name] {
			return errors.New("a member twice")
		}
		names[name] = true
		if err := element(dec); err != nil {
			return err
		}
	}
}

func element(dec *json.Decoder) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('{'):
		return members(dec)
	case json.Delim('['):
		for dec.More() {
			if err := element(dec); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

// FuzzScan: what is accepted is accepted by encoding/json with strict checks, and reads the same there.
func FuzzScan(f *testing.F) {
	for _, text := range seeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, ok := scan(text)
		if !ok {
			return
		}
		if err := reference([]byte(text)); err != nil {
			t.Fatalf("accepted what encoding/json refuses (%v): %q", err, text)
		}
		var same map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &same); err != nil || len(same) != len(found) {
			t.Fatalf("%d members, not %d: %q", len(found), len(same), text)
		}
		for name, raw := range same {
			want := string(raw)
			if raw[0] == '"' {
				_ = json.Unmarshal(raw, &want)
			}
			if got, there := found[name]; !there || got != want {
				t.Fatalf("%q is %q, not %q", name, got, want)
			}
			if got, there := strictjson.Find(text, pointer(name)); !there || got.Raw() != string(raw) {
				t.Fatalf("%q leads to %q, not %q", pointer(name), got.Raw(), raw)
			}
		}
	})
}

// pointer is the JSON Pointer to a member of the outermost object (RFC 6901, Section 3).
func pointer(name string) string {
	return "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

var seeds = []string{
	`{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[1,2,{"c":null}]}}`, `{"a":"\u00e9\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"\u0061":1,"a":2}`,
	`{"a":-0.5e+10}`, `{"a":01}`, `{"a":1e400}`, `{"a":1}x`, " {\n} ", `{"a":tru}`, `{"a":[1,]}`, `{,}`, `{"a"}`, "{\"a\":\"\x00\"}", "\ufeff{}",
	`{"a":"\"\\\/\b\f\n\r\t\u0041"}`, `{"a":"\`, `{"a":"\u12`, `{"a":"\uABcd\u00Ff"}`, `{"a/b~c":1,"":2}`,
	`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, `{"` + strings.Repeat("a", 40) + `":1}`,
}
