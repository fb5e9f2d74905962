package strictjson_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/internal/strictjson"
)

// scan returns the members of an object: strings unescaped, everything else as it was written.
func scan(text string) (map[string]string, bool) {
	found := map[string]string{}
	err := strictjson.Object(text, func(name string, value strictjson.Value) error {
		s, isString := value.Text()
		if !isString {
			s = value.Raw()
		}
		found[name] = s
		return nil
	})
	return found, err == nil
}

// many is n members with different names.
func many(n int) string {
	var list []string
	for i := range n {
		list = append(list, `"n`+strconv.Itoa(i)+`":1`)
	}
	return strings.Join(list, ",")
}

func TestObject(t *testing.T) {
	for _, row := range []struct {
		name string
		text string
		want map[string]string // nil: refused
	}{
		{"nothing", `{}`, map[string]string{}},
		{"every kind of value", `{"a":"x","b":-1.5e3,"c":true,"d":false,"e":null,"f":[1,"]"],"g":{"h":"}"}}`,
			map[string]string{"a": "x", "b": "-1.5e3", "c": "true", "d": "false", "e": "null", "f": `[1,"]"]`, "g": `{"h":"}"}`}},
		{"every escape", `{"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\uABCD\ud83d\ude00"}`, map[string]string{"a": "\"\\/\b\f\n\r\tAé\uabcd😀"}},
		{"an escaped name", `{"\u0061":1}`, map[string]string{"a": "1"}},
		{"the replacement character itself", `{"a":"\ufffd` + "\ufffd" + `"}`, map[string]string{"a": "\ufffd\ufffd"}},
		{"nothing at all", ``, nil},
		{"a string that does not end", `{"a":"x`, nil},
		{"a name that does not end", `{"a`, nil},
		{"an escape at the end", `{"a":"\`, nil},
		{"an escape of four digits cut short", `{"a":"\u004`, nil},
		{"an escape of letters", `{"a":"\uzzzz"}`, nil},
		{"a surrogate and a letter", `{"a":"\ud83dx"}`, nil},
		{"a surrogate and an escape that is none", `{"a":"\ud83d\u0041"}`, nil},
		{"a name that is no string", `{1:1}`, nil},
		{"no colon", `{"a" 1}`, nil},
		{"no value", `{"a":}`, nil},
		{"no comma", `{"a":1 "b":2}`, nil},
		{"an array without a comma", `{"a":[1 2]}`, nil},
		{"an array that does not end", `{"a":[1`, nil},
		{"an array with a comma too many", `{"a":[1,]}`, nil},
		{"an object inside that does not end", `{"a":{"b":1`, nil},
		{"a word cut short", `{"a":nul}`, nil},
		{"a word in capitals", `{"a":True}`, nil},
		{"a minus alone", `{"a":-}`, nil},
		{"an exponent alone", `{"a":1e}`, nil},
		{"an exponent with a sign alone", `{"a":1e+}`, nil},
		{"a point alone", `{"a":.5}`, nil},
		{"hexadecimal", `{"a":0x1}`, nil},
		{"the same name, once in full and once escaped, among many", `{` + many(20) + `,"\u006e1":1}`, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := scan(row.text)
			assert.Equal(t, row.want != nil, ok)
			if row.want != nil {
				assert.Equal(t, row.want, got)
			}
		})
	}
}

// However many members an object has, reading it stays linear: this is a text of 16 KiB that has as many as fit.
func TestManyMembers(t *testing.T) {
	text := `{` + many(1500) + `}`
	assert.Less(t, len(text), 16<<10)
	got, ok := scan(text)
	assert.True(t, ok)
	assert.Len(t, got, 1500)
	_, ok = scan(strings.TrimSuffix(text, "}") + `,"n0":1}`)
	assert.False(t, ok)
}

// JSON Pointers through objects (RFC 6901).
func TestFind(t *testing.T) {
	const text = `{"a":{"b":{"c":1}},"x/y":{"m~n":2},"":3,"/a":4,"list":[{"a":5}],"s":"t"}`
	for path, want := range map[string]string{
		"a": `{"b":{"c":1}}`, "/a/b": `{"c":1}`, "/a/b/c": "1", "/x~1y/m~0n": "2", "x/y": `{"m~n":2}`, "": "3", "/": "3", "/~1a": "4",
		"/list": `[{"a":5}]`, "/list/0/a": "", "/s/t": "", "/a/x": "", "a/b": "", "/a/b/c/d": "", "/A": "",
	} {
		got, ok := strictjson.Find(text, path)
		assert.Equal(t, want != "", ok, path)
		assert.Equal(t, want, got.Raw(), path)
	}
}
