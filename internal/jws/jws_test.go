package jws_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/internal/jws"
)

// canonical decodes a segment with encoding/base64 as strict as it can be: it skips line breaks all the same.
func canonical(segment string) (string, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	return string(text), err == nil && segment != "" && !strings.ContainsAny(segment, "\r\n")
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestParse(t *testing.T) {
	good := encode(`{"alg":"ES256","typ":"at+jwt","kid":"k1"}`)
	for _, row := range []struct {
		name   string
		raw    string
		header jws.Header
		err    error
	}{
		{"every member", good + ".e30.AQ", jws.Header{Algorithm: "ES256", Type: "at+jwt", HasType: true, KeyID: "k1"}, nil},
		{"alg alone", encode(`{"alg":"none"}`) + ".e30.AQ", jws.Header{Algorithm: "none"}, nil},
		{"an empty typ", encode(`{"alg":"ES256","typ":""}`) + ".e30.AQ", jws.Header{Algorithm: "ES256", HasType: true}, nil},
		{"members that are not read", encode(`{"alg":"ES256","jku":"https://evil.test","x5c":[1]}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, nil},
		{"nothing", "", jws.Header{}, jws.ErrMalformed},
		{"one segment", good, jws.Header{}, jws.ErrMalformed},
		{"two segments", good + ".e30", jws.Header{}, jws.ErrMalformed},
		{"four segments", good + ".e30.AQ.AQ", jws.Header{}, jws.ErrMalformed},
		{"five segments, a JWE", good + "..AQ.AQ.AQ", jws.Header{}, jws.ErrMalformed},
		{"no header", ".e30.AQ", jws.Header{}, jws.ErrMalformed},
		{"no payload", good + "..AQ", jws.Header{}, jws.ErrMalformed},
		{"no signature", good + ".e30.", jws.Header{}, jws.ErrMalformed},
		{"padding", good + ".e30=.AQ", jws.Header{}, jws.ErrMalformed},
		{"a line break", good + ".e3\n0.AQ", jws.Header{}, jws.ErrMalformed},
		{"stray bits", good + ".e30.AR", jws.Header{}, jws.ErrMalformed},
		{"a header that is no object", encode(`[]`) + ".e30.AQ", jws.Header{}, jws.ErrHeader},
		{"a header without alg", encode(`{"typ":"JWT"}`) + ".e30.AQ", jws.Header{Type: "JWT", HasType: true}, jws.ErrHeader},
		{"alg twice", encode(`{"alg":"ES256","alg":"none"}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrHeader},
		{"alg in another case beside it", encode(`{"alg":"ES256","Alg":"none"}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrHeader},
		{"x5t#s256", encode(`{"alg":"ES256","x5t#s256":""}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrHeader},
		{"the Kelvin sign in kid", encode(`{"alg":"ES256","\u212aid":"x"}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrHeader},
		{"alg a number", encode(`{"alg":1}`) + ".e30.AQ", jws.Header{}, jws.ErrHeader},
		{"typ null", encode(`{"alg":"ES256","typ":null}`) + ".e30.AQ", jws.Header{Algorithm: "ES256", HasType: true}, jws.ErrHeader},
		{"kid a number", encode(`{"alg":"ES256","kid":1}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrKeyID},
		{"kid too long", encode(`{"alg":"ES256","kid":"`+strings.Repeat("k", 257)+`"}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrKeyID},
		{"crit", encode(`{"alg":"ES256","crit":["exp"]}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrCritical},
		{"b64", encode(`{"alg":"ES256","b64":true}`) + ".e30.AQ", jws.Header{Algorithm: "ES256"}, jws.ErrCritical},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, err := jws.Parse(row.raw)
			if row.err != nil {
				assert.ErrorIs(t, err, row.err)
			} else {
				require.NoError(t, err)
				assert.Equal(t, "{}", m.Payload)
				assert.Equal(t, []byte{1}, m.Signature)
				assert.Equal(t, strings.TrimSuffix(row.raw, ".AQ"), string(m.Input))
			}
			assert.Equal(t, row.header, m.Header)
		})
	}
}

// Every text of up to three characters that matter is decoded as canonical base64url, or refused.
func TestSegments(t *testing.T) {
	const some = "AQBgw-_9+/= \n\x00é"
	var texts []string
	for _, prefix := range []string{"", "QUJD", "QUJDREVGR0hJ"} {
		for i := range len(some) {
			one := prefix + some[i:i+1]
			texts = append(texts, one)
			for j := range len(some) {
				two := one + some[j:j+1]
				texts = append(texts, two)
				for k := range len(some) {
					texts = append(texts, two+some[k:k+1], two+some[k:k+1]+"A")
				}
			}
		}
	}
	for _, segment := range texts {
		checkSegment(t, segment)
	}
}

// checkSegment compares what Parse makes of a payload with encoding/base64.
func checkSegment(t *testing.T, segment string) {
	want, good := canonical(segment)
	m, err := jws.Parse("eyJhbGciOiJFUzI1NiJ9." + segment + ".AQ")
	if !good {
		require.ErrorIs(t, err, jws.ErrMalformed, "%q", segment)
		return
	}
	require.NoError(t, err, "%q", segment)
	require.Equal(t, want, m.Payload, "%q", segment)
}

// FuzzSegment: a segment is canonical base64url or the token is refused.
func FuzzSegment(f *testing.F) {
	for _, s := range []string{"", "A", "AA", "AB", "AAA", "AAB", "AAAA", "QUJD", "QUI", "QQ", "Q\nQ", "Q===", "+/AA", "-_AA", "\xff\xff\xff\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, segment string) {
		if !strings.Contains(segment, ".") {
			checkSegment(t, segment)
		}
	})
}

// The texts tell an operator what came in place of a token, and repeat nothing of it.
func TestErrorTexts(t *testing.T) {
	for raw, want := range map[string]string{
		"0123456789abcdef":      "not a JWT: 1 segment instead of 3 (an opaque token?)",
		"a.b":                   "not a JWT: 2 segments instead of 3",
		"a.b.c.d.e":             "not a JWT: 5 segments: an encrypted token",
		"Bearer a.b.c.d":        `not a JWT: it starts with "Bearer "`,
		"eyJ..x":                "not a JWT: an empty segment",
		"e30=.e30.AQ":           "not a JWT: base64 with padding",
		"e30.e3\n0.AQ":          "not a JWT: a line break",
		"e30.e3+.AQ":            "not a JWT: not canonical base64url",
		"e30.e30.AQ":            "malformed header: no alg",
		encode(`{`) + ".e30.AQ": "malformed header: not one strict JSON object",
		encode(`{"alg":"a","alg":"b"}`) + ".e30.AQ":                   `malformed header: not one strict JSON object: duplicate member "alg"`,
		encode("{\"alg\":\"\xff\"}") + ".e30.AQ":                      "malformed header: not one strict JSON object: invalid UTF-8",
		encode(`{"alg":1}`) + ".e30.AQ":                               `malformed header: member "alg"`,
		encode(`{"alg":"\ud83d"}`) + ".e30.AQ":                        "malformed header: not one strict JSON object: an invalid escape, or half a surrogate pair",
		encode(`{"alg":"a","x":1e999}`) + ".e30.AQ":                   "malformed header: not one strict JSON object: a number is out of range",
		encode(`{"alg":"a"}{}`) + ".e30.AQ":                           "malformed header: not one strict JSON object: something follows it",
		encode(`{"alg":"a","x":`+strings.Repeat("[", 40)) + ".e30.AQ": "malformed header: not one strict JSON object: nested deeper than 32",
		encode(`{"alg":"a","kid":1}`) + ".e30.AQ":                     "kid is not a string of at most 256 bytes",
		encode(`{"alg":"a","crit":[]}`) + ".e30.AQ":                   "the header has crit or b64",
	} {
		_, err := jws.Parse(raw)
		assert.EqualError(t, err, want, raw)
	}
}
