package authclient_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	{"values keep their case", []string{`Bearer error="Invalid_Token"`}, []challenge{{"bearer", params{"error": "Invalid_Token"}}}},
	{"as ASP.NET writes it", []string{`Bearer error="invalid_token", error_description="The token expired at '06/16/2021 05:16:01'"`},
		[]challenge{{"bearer", params{"error": "invalid_token", "error_description": "The token expired at '06/16/2021 05:16:01'"}}}},
	{"without spaces", []string{`Bearer realm="a",error="b"`}, []challenge{{"bearer", params{"realm": "a", "error": "b"}}}},
	{"with bad whitespace", []string{"Bearer \t realm = \"a\" \t,\t error\t=\tb "}, []challenge{{"bearer", params{"realm": "a", "error": "b"}}}},
	{"several lines", []string{`Basic realm="x"`, `Bearer error="invalid_token"`},
		[]challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"error": "invalid_token"}}}},
	{"several in one line", []string{`Basic realm="x", Bearer realm="y", error="invalid_token", DPoP algs="ES256"`},
		[]challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"realm": "y", "error": "invalid_token"}}, {"dpop", params{"algs": "ES256"}}}},
	{"schemes without parameters in one line", []string{"Negotiate, NTLM , Bearer"}, []challenge{{"negotiate", nil}, {"ntlm", nil}, {"bearer", nil}}},
	{"the example of RFC 9110", []string{`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`},
		[]challenge{{"basic", params{"realm": "simple"}}, {"newauth", params{"realm": "apps", "type": "1", "title": `Login to "apps"`}}}},
	{"empty list elements", []string{`, ,Bearer ,, realm=a,,`}, []challenge{{"bearer", params{"realm": "a"}}}},
	{"token68", []string{"Negotiate oYG2MIGzoAMKAQ==, Bearer"}, []challenge{{"negotiate", nil}, {"bearer", nil}}},
	{"token68 without padding", []string{"Negotiate abc/def+1"}, []challenge{{"negotiate", nil}}},
	{"token68 that looks like a parameter without value", []string{"Negotiate abc="}, []challenge{{"negotiate", nil}}},
	{"a parameter after token68 belongs to no challenge", []string{`Negotiate abc==, error="invalid_token"`}, []challenge{{"negotiate", nil}}},

	{"a comma in a quoted string", []string{`Bearer realm="a, Basic b", error="invalid_token"`},
		[]challenge{{"bearer", params{"realm": "a, Basic b", "error": "invalid_token"}}}},
	{"a challenge in a quoted string", []string{`Basic realm="Bearer error=\"invalid_token\""`},
		[]challenge{{"basic", params{"realm": `Bearer error="invalid_token"`}}}},
	{"escapes", []string{`Bearer realm="a\\b\"c\d"`}, []challenge{{"bearer", params{"realm": `a\b"cd`}}}},
	{"an empty quoted string", []string{`Bearer realm=""`}, []challenge{{"bearer", params{"realm": ""}}}},
	{"an escaped error", []string{`Bearer error="invalid\_token"`}, []challenge{{"bearer", params{"error": "invalid_token"}}}},

	{"a duplicate parameter has no value", []string{`Bearer error="invalid_token", error="insufficient_scope"`}, []challenge{{"bearer", params{"error": ""}}}},
	{"the same parameter in two challenges", []string{`Bearer error="a", Bearer error="b"`}, []challenge{{"bearer", params{"error": "a"}}, {"bearer", params{"error": "b"}}}},

	{"unterminated string", []string{`Bearer error="invalid_token`}, []challenge{{"bearer", nil}}},
	{"unterminated string after an escape", []string{`Bearer error="invalid_token\`}, []challenge{{"bearer", nil}}},
	{"no value", []string{`Bearer realm=, error="invalid_token"`}, []challenge{{"bearer", nil}}},
	{"no name: the scheme is parsed as one", []string{`Bearer ="x", Basic realm="y"`}, []challenge{{"basic", params{"realm": "y"}}}},
	{"no comma", []string{`Bearer error="invalid_token" realm="x", Basic realm="y"`},
		[]challenge{{"bearer", params{"error": "invalid_token"}}, {"basic", params{"realm": "y"}}}},
	{"no comma before a challenge", []string{`Basic realm="x" Bearer error="invalid_token"`}, []challenge{{"basic", params{"realm": "x"}}}},
	{"an extra quote after the error", []string{`Bearer error="invalid_token", error_description="audience 'a"b' is invalid"`},
		[]challenge{{"bearer", params{"error": "invalid_token", "error_description": "audience 'a"}}}},
	{"a parameter after garbage belongs to no challenge", []string{`Bearer @@@, error="invalid_token"`}, []challenge{{"bearer", nil}}},
	{"garbage before a challenge", []string{`@@@, Bearer error="invalid_token"`}, []challenge{{"bearer", params{"error": "invalid_token"}}}},
	{"a parameter before any challenge", []string{`error="invalid_token"`}, nil},
	{"parameters do not continue on the next line", []string{`Bearer realm="x"`, `error="invalid_token"`}, []challenge{{"bearer", params{"realm": "x"}}}},
	{"a quoted string as scheme", []string{`"Bearer" error="invalid_token"`}, nil},
	{"bytes that are not text", []string{"\x00\xff\x80, Bearer\x01"}, []challenge{{"bearer", nil}}},
}

func TestParseChallenges(t *testing.T) {
	for _, row := range challengeRows {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.want, authclient.ParseChallenges(http.Header{"Www-Authenticate": row.lines}))
		})
	}
}

// FuzzParseChallenges checks that no header makes the parser panic, that what it finds was there, and that it finds a
// well-formed challenge before any text.
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
		if assert.Len(t, split, len(all)+1, "a line does not affect the next one") {
			assert.Equal(t, append([]challenge{}, all...), split[:len(all)])
		}
	})
}

func TestResponsesThatCauseARefresh(t *testing.T) {
	lenient := func(c *authclient.Config) { c.Lenient = true }
	for _, row := range []struct {
		name      string
		status    int
		challenge []string
		mod       func(*authclient.Config)
		method    string
		want      bool
	}{
		{"401 invalid_token", 401, []string{invalidToken}, nil, "GET", true},
		{"to a POST", 401, []string{invalidToken}, nil, "POST", true},
		{"scheme in lower case", 401, []string{`bearer error="invalid_token"`}, nil, "GET", true},
		{"DPoP", 401, []string{`DPoP error="invalid_token", algs="ES256"`}, nil, "GET", true},
		{"after another challenge, in one line", 401, []string{`Basic realm="x", Bearer error="invalid_token"`}, nil, "GET", true},
		{"after another challenge, in two lines", 401, []string{`Basic realm="x"`, `Bearer error="invalid_token"`}, nil, "GET", true},
		{"two Bearer challenges", 401, []string{`Bearer realm="x"`, `Bearer error="invalid_token"`}, nil, "GET", true},

		{"200 with a challenge", 200, []string{invalidToken}, nil, "GET", false},
		{"403 with a challenge", 403, []string{invalidToken}, nil, "GET", false},
		{"407 with a challenge", 407, []string{invalidToken}, nil, "GET", false},
		{"insufficient_scope", 403, []string{`Bearer error="insufficient_scope", scope="x"`}, nil, "GET", false},
		{"insufficient_scope as a 401", 401, []string{`Bearer error="insufficient_scope"`}, nil, "GET", false},
		{"invalid_request", 401, []string{`Bearer error="invalid_request"`}, nil, "GET", false},
		{"use_dpop_nonce", 401, []string{`DPoP error="use_dpop_nonce"`}, nil, "GET", false},
		{"insufficient_user_authentication", 401, []string{`Bearer error="insufficient_user_authentication"`}, nil, "GET", false},
		{"Basic", 401, []string{`Basic realm="x"`}, nil, "GET", false},
		{"Basic with invalid_token", 401, []string{`Basic error="invalid_token"`}, nil, "GET", false},
		{"invalid_token in a realm", 401, []string{`Bearer realm="error=\"invalid_token\""`}, nil, "GET", false},
		{"invalid_token in a description", 401, []string{`Bearer error="x", error_description="invalid_token"`}, nil, "GET", false},
		{"another case of invalid_token", 401, []string{`Bearer error="Invalid_Token"`}, nil, "GET", false},
		{"two errors in one challenge", 401, []string{`Bearer error="invalid_token", error="invalid_request"`}, nil, "GET", false},
		{"no challenge", 401, nil, nil, "GET", false},
		{"Bearer without error", 401, []string{"Bearer"}, nil, "GET", false},
		{"Bearer with only a realm", 401, []string{`Bearer realm="x"`}, nil, "GET", false},

		{"lenient: no challenge", 401, nil, lenient, "GET", true},
		{"lenient: Bearer without error", 401, []string{"Bearer"}, lenient, "GET", true},
		{"lenient: Bearer with only a realm", 401, []string{`Bearer realm="x"`}, lenient, "HEAD", true},
		{"lenient: OPTIONS", 401, nil, lenient, "OPTIONS", true},
		{"lenient: POST", 401, nil, lenient, "POST", false},
		{"lenient: DELETE", 401, nil, lenient, "DELETE", false},
		{"lenient: POST with invalid_token", 401, []string{invalidToken}, lenient, "POST", true},
		{"lenient: Basic", 401, []string{`Basic realm="x"`}, lenient, "GET", false},
		{"lenient: another error", 401, []string{`Bearer error="invalid_request"`}, lenient, "GET", false},
		{"lenient: 403", 403, nil, lenient, "GET", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.api = func(r *http.Request) *http.Response {
					if r.Header.Get("Authorization") == "Bearer at-2" {
						return response(204, "")
					}
					resp := response(row.status, "")
					resp.Header["Www-Authenticate"] = row.challenge
					return resp
				}
				var mods []func(*authclient.Config)
				if row.mod != nil {
					mods = append(mods, row.mod)
				}
				rt := w.transport(t, mods...)
				status, err := do(t.Context(), rt, row.method, apiURL+"/", nil)
				require.NoError(t, err)
				if row.want {
					assert.Equal(t, 204, status)
					assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
				} else {
					assert.Equal(t, row.status, status)
					assert.Equal(t, []string{"at-1"}, w.sent())
					assert.Zero(t, w.refreshed())
				}
			})
		})
	}
}

func TestLenientPOSTWithTokenThatExpiredMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.api = func(r *http.Request) *http.Response {
			if r.Header.Get("Authorization") == "Bearer at-1" {
				time.Sleep(time.Hour)
				return response(401, "")
			}
			return nil
		}
		rt := w.transport(t, func(c *authclient.Config) { c.Lenient = true })
		time.Sleep(30 * time.Minute)
		status, err := do(t.Context(), rt, http.MethodPost, apiURL, nil)
		require.NoError(t, err)
		assert.Equal(t, 200, status)
	})
}
