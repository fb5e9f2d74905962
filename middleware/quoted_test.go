package middleware_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/middleware"
)

// unquote reads a quoted-string by the grammar of RFC 9110, Section 5.6.4, and nothing else.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		c := s[i]
		if c == '\\' {
			i++
			if i == len(s)-1 {
				return "", false
			}
			c = s[i]
		} else if c == '"' {
			return "", false
		}
		if c != '\t' && (c < 0x20 || c == 0x7F) {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

func TestQuoted(t *testing.T) {
	for in, out := range map[string]string{
		"":             `""`,
		"api1":         `"api1"`,
		`a "b" \c`:     `"a \"b\" \\c"`,
		"a\r\nb\x00\t": `"a??b??"`,
		"é":            `"??"`,
	} {
		assert.Equal(t, out, middleware.Quoted(in))
	}
}

func TestSanitise(t *testing.T) {
	for in, out := range map[string]string{
		"plain, text; 'x'": "plain, text; 'x'",
		`a "b" \c`:         `a 'b' ?c`,
		"a\r\nb\x7f":       "a??b?",
		"é\xff":            "??",
	} {
		assert.Equal(t, out, middleware.Sanitise(in))
	}
}

func FuzzQuotedString(f *testing.F) {
	for _, s := range []string{"", "api1", `"`, `\`, `\"`, "\r\n", "é", "\x00", "a\tb", strings.Repeat(`"\`, 50), "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		back, good := unquote(middleware.Quoted(s))
		if !good {
			t.Fatalf("%q is not a quoted-string", middleware.Quoted(s))
		}
		printable := strings.Map(func(r rune) rune {
			if r < 0x20 || r >= 0x7F {
				return '?'
			}
			return r
		}, bytesAsRunes(s))
		if back != printable {
			t.Fatalf("%q came back as %q", printable, back)
		}
		described := middleware.Sanitise(s)
		for _, r := range described {
			if r < 0x20 || r > 0x7E || r == '"' || r == '\\' {
				t.Fatalf("%q is not fit for error_description", described)
			}
		}
		if q := middleware.Quoted(described); q != `"`+described+`"` {
			t.Fatalf("a description needs escapes: %q", q)
		}
	})
}

// bytesAsRunes makes every byte a character, as a header field has them.
func bytesAsRunes(s string) string {
	runes := make([]rune, 0, len(s))
	for i := range len(s) {
		runes = append(runes, rune(s[i]))
	}
	return string(runes)
}

func FuzzScope(f *testing.F) {
	for _, s := range []string{"", " ", "a", "a b", "  a  b ", "a\tb", "a,b", "\x00", "é a", `"`, strings.Repeat("a ", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		scopes := middleware.AppendScopes(nil, s)
		for _, one := range scopes {
			if one == "" || strings.Contains(one, " ") {
				t.Fatalf("%q in %q", one, s)
			}
		}
		// What was divided and is joined again is divided alike.
		again := middleware.AppendScopes(nil, strings.Join(scopes, " "))
		if strings.Join(again, "\n") != strings.Join(scopes, "\n") || len(again) != len(scopes) {
			t.Fatalf("%q became %q", scopes, again)
		}
		var kept []string
		for one := range strings.SplitSeq(s, " ") {
			if one != "" {
				kept = append(kept, one)
			}
		}
		if strings.Join(kept, " ") != strings.Join(scopes, " ") {
			t.Fatalf("%q gave %q", s, scopes)
		}
	})
}
