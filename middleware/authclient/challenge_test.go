package authclient_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/middleware/authclient"
)

type (
	challenge = authclient.Challenge
	params    = map[string]string
)

var challengeRows = []struct {
	name  string
	lines []string
	want  []challenge
}{
	{"none", nil, nil},
	{"an empty line", []string{""}, nil},
	{"a scheme alone", []string{"Bearer"}, []challenge{{"bearer", nil}}},
	{"one parameter", []string{`Bearer error="invalid_token"`}, []challenge{{"bearer", params{"error": "invalid_token"}}}},
	{"as a token", []string{`Bearer error=invalid_token`}, []challenge{{"bearer", params{"error": "invalid_token"}}}},
	{"names and scheme in any case", []string{`BEARER Error="invalid_token"`}, []challenge{{"bearer", params{"error": "invalid_token"}}}},
	{"values keep theirs", []string{`Bearer error="Invalid_Token"`}, []challenge{{"bearer", params{"error": "Invalid_Token"}}}},
	{"as ASP.NET writes it", []string{`Bearer error="invalid_token", error_description="The token expired at '06/16/2021 05:16:01'"`},
		[]challenge{{"bearer", params{"error": "invalid_token", "error_description": "The token expired at '06/16/2021 05:16:01'"}}}},
	{"without spaces", []string{`Bearer realm="a",error="b"`}, []challenge{{"bearer", params{"realm": "a", "error": "b"}}}},
	{"with bad whitespace", []string{"Bearer \t realm = \"a\" \t,\t error\t=\tb "}, []challenge{{"bearer", params{"realm": "a", "error": "b"}}}},
	{"several lines", []string{`Basic realm="x"`, `Bearer error="invalid_token"`},
		[]challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"error": "invalid_token"}}}},
	{"several in one line", []string{`Basic realm="x", Bearer realm="y", error="invalid_token", DPoP algs="ES256"`},
		[]challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"realm": "y", "error": "invalid_token"}}, {"dpop", params{"algs": "ES256"}}}},
	{"bare schemes in one line", []string{"Negotiate, NTLM , Bearer"}, []challenge{{"negotiate", nil}, {"ntlm", nil}, {"bearer", nil}}},
	{"the example of RFC 9110", []string{`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`},
		[]challenge{{"basic", params{"realm": "simple"}}, {"newauth", params{"realm": "apps", "type": "1", "title": `Login to "apps"`}}}},
	{"empty list elements", []string{`, ,Bearer ,, realm=a,,`}, []challenge{{"bearer", params{"realm": "a"}}}},
	{"token68", []string{"Negotiate oYG2MIGzoAMKAQ==, Bearer"}, []challenge{{"negotiate", nil}, {"bearer", nil}}},
	{"token68 without padding", []string{"Negotiate abc/def+1"}, []challenge{{"negotiate", nil}}},
	{"token68 that looks like a parameter without value", []string{"Negotiate abc="}, []challenge{{"negotiate", nil}}},
	{"a parameter after token68 is nobody's", []string{`Negotiate abc==, error="invalid_token"`}, []challenge{{"negotiate", nil}}},

	{"a comma in a quoted string", []string{`Bearer realm="a, Basic b", error="invalid_token"`},
		[]challenge{{"bearer", params{"realm": "a, Basic b", "error": "invalid_token"}}}},
	{"a challenge in a quoted string", []string{`Basic realm="Bearer error=\"invalid_token\""`},
		[]challenge{{"basic", params{"realm": `Bearer error="invalid_token"`}}}},
	{"escapes", []string{`Bearer realm="a\\b\"c\d"`}, []challenge{{"bearer", params{"realm": `a\b"cd`}}}},
	{"an empty quoted string", []string{`Bearer realm=""`}, []challenge{{"bearer", params{"realm": ""}}}},
	{"an escaped error", []string{`Bearer error="invalid\_token"`}, []challenge{{"bearer", params{"error": "invalid_token"}}}},

	{"the same parameter twice says nothing", []string{`Bearer error="invalid_token", error="insufficient_scope"`}, []challenge{{"bearer", params{"error": ""}}}},
	{"in two challenges it may be", []string{`Bearer error="a", Bearer error="b"`}, []challenge{{"bearer", params{"error": "a"}}, {"bearer", params{"error": "b"}}}},

	{"no end of the string", []string{`Bearer error="invalid_token`}, []challenge{{"bearer", nil}}},
	{"no end of the string after an escape", []string{`Bearer error="invalid_token\`}, []challenge{{"bearer", nil}}},
	{"no value", []string{`Bearer realm=, error="invalid_token"`}, []challenge{{"bearer", nil}}},
	{"no name, so that the scheme reads as one", []string{`Bearer ="x", Basic realm="y"`}, []challenge{{"basic", params{"realm": "y"}}}},
	{"no comma", []string{`Bearer error="invalid_token" realm="x", Basic realm="y"`},
		[]challenge{{"bearer", params{"error": "invalid_token"}}, {"basic", params{"realm": "y"}}}},
	{"no comma before a challenge", []string{`Basic realm="x" Bearer error="invalid_token"`}, []challenge{{"basic", params{"realm": "x"}}}},
	{"a quote too many, after the error", []string{`Bearer error="invalid_token", error_description="audience 'a"b' is invalid"`},
		[]challenge{{"bearer", params{"error": "invalid_token", "error_description": "audience 'a"}}}},
	{"a parameter after garbage is nobody's", []string{`Bearer @@@, error="invalid_token"`}, []challenge{{"bearer", nil}}},
	{"garbage before a challenge", []string{`@@@, Bearer error="invalid_token"`}, []challenge{{"bearer", params{"error": "invalid_token"}}}},
	{"a parameter before any challenge", []string{`error="invalid_token"`}, nil},
	{"parameters don't go on in the next line", []string{`Bearer realm="x"`, `error="invalid_token"`}, []challenge{{"bearer", params{"realm": "x"}}}},
	{"a quoted string for a scheme", []string{`"Bearer" error="invalid_token"`}, nil},
	{"bytes that are no text", []string{"\x00\xff\x80, Bearer\x01"}, []challenge{{"bearer", nil}}},
}

func TestParseChallenges(t *testing.T) {
	for _, row := range challengeRows {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.want, authclient.ParseChallenges(http.Header{"Www-Authenticate": row.lines}))
		})
	}
}

// FuzzParseChallenges: it never panics, what it finds was there, and a well-formed challenge in front of anything is found.
func FuzzParseChallenges(f *testing.F) {
	for _, row := range challengeRows {
		f.Add(strings.Join(row.lines, ", "), "invalid_token")
	}
	f.Fuzz(func(t *testing.T, line, value string) {
		all := authclient.ParseChallenges(http.Header{"Www-Authenticate": {line}})
		plain := strings.ToLower(strings.ReplaceAll(line, `\`, ""))
		for _, c := range all {
			assert.Contains(t, plain, c.Scheme)
			for name, v := range c.Params {
				assert.Contains(t, plain, name)
				assert.Contains(t, plain, strings.ToLower(strings.ReplaceAll(v, `\`, "")))
			}
		}

		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		first := authclient.ParseChallenges(http.Header{"Www-Authenticate": {"Bearer error=" + quoted + `, Basic realm="x", ` + line}})
		if assert.GreaterOrEqual(t, len(first), 2) {
			assert.Equal(t, challenge{"bearer", params{"error": value}}, first[0])
			assert.Equal(t, "basic", first[1].Scheme)
		}
		split := authclient.ParseChallenges(http.Header{"Www-Authenticate": {line, "Bearer error=" + quoted}})
		if assert.Len(t, split, len(all)+1, "a line says nothing about the next") {
			assert.Equal(t, append([]challenge{}, all...), split[:len(all)])
		}
	})
}
