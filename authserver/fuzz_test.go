package authserver_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// fuzzed sends a request and checks what holds for every answer of the token endpoint.
func (w *world) fuzzed(t *testing.T, r *http.Request) reply {
	w.t = t
	out := w.do(r)
	require.Contains(t, []int{200, 400, 401, 405}, out.status, out.body)
	require.Equal(t, "no-store", out.header.Get("Cache-Control"))
	require.Equal(t, "no-cache", out.header.Get("Pragma"))
	require.Equal(t, out.status == 401, out.header.Get("WWW-Authenticate") != "")
	if out.status != 200 {
		require.NotEmpty(t, out.str("error"))
		require.Regexp(t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`, out.str("error_description"))
	}
	return out
}

func FuzzTokenForm(f *testing.F) {
	for _, seed := range []string{
		"grant_type=client_credentials&client_id=worker&client_secret=worker+secret",
		"grant_type=refresh_token&refresh_token=rt1_AAAA&client_id=spa&scope=api1",
		"grant_type=authorization_code&code=ac1_AAAA&client_id=mvc+client&client_secret=mvc+secret&code_verifier=x",
		"client_assertion=a.b.c&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"grant_type=&grant_type=", "a=%ff", ";", "&&==", "resource=a&resource=b",
		"grant_type=a&%67rant_type=", "a=1&a=1&;", "a=%f", "%zz", "a+b=c%20d", "=", "=&=", strings.Repeat("a&", 9_999) + "b", strings.Repeat("a&", 10_000),
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	token := w.signIn().str("refresh_token")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", issuer+"/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		out := w.fuzzed(t, r)
		if len(body) <= 64<<10 { // a form is read as net/url reads it, apart from what is refused on top
			form, err := url.ParseQuery(body)
			require.Equal(t, err != nil, out.str("error_description") == "the body is not form-urlencoded")
			odd := ""
			for name, values := range form {
				switch {
				case name != "resource" && len(values) > 1:
					odd = "a parameter is there more than once|a parameter is not UTF-8"
				case name != "resource" && !utf8.ValidString(values[0]) && odd == "":
					odd = "a parameter is not UTF-8"
				}
			}
			if err == nil && odd != "" {
				require.Contains(t, odd, out.str("error_description"))
			} else {
				require.NotRegexp(t, "more than once|UTF-8", out.str("error_description"))
			}
		}
		g := w.row(token)
		require.True(t, g.RevokedAt.IsZero() && g.Generation == 1, "someone else's grant is untouched")
	})
}

func FuzzTokenJSON(f *testing.F) {
	for _, seed := range []string{
		`{"grant_type":"refresh_token","refresh_token":"4d3f3061e8e049689a586d8dfcba0d08"}`,
		`{"grant_type":"refresh_token","refresh_token":"x","client_id":"spa","resource":["a"]}`,
		`{"grant_type":1}`, `{"a":{"b":[[[]]]}}`, `[]`, `{`, `{"grant_type":"a","grant_type":"b"}`, "\xff", `{"scope":"\ud800"}`,
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", issuer+"/auth/refreshtoken", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		require.NotEqual(t, 200, w.fuzzed(t, r).status)
	})
}

func FuzzAuthorizeQuery(f *testing.F) {
	for _, pairs := range [][]string{nil, {"scope", "openid"}, {"redirect_uri", "https://evil.example"}, {"prompt", "none"},
		{"max_age", "1"}, {"client_id", "spa", "redirect_uri", spaBack}, {"resource", "api1"}, {"response_mode", "form_post", "prompt", "none"}, {"id_token_hint", "a.b.c"}} {
		f.Add(strings.TrimPrefix(authorizeURL(pairs...), issuer+"/authorize?"))
	}
	f.Add("client_id=spa&redirect_uri=%ff&state=\r\n")
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", issuer+"/authorize", nil)
		r.URL.RawQuery = query
		w.t = t
		out := w.do(r)
		require.Contains(t, []int{200, 303, 400}, out.status)
		require.Equal(t, "no-store", out.header.Get("Cache-Control"))
		if out.status == 303 { // only ever to a registered address, and never with a code: nobody is signed in
			location := out.header.Get("Location")
			u, err := url.Parse(location)
			require.NoError(t, err)
			u.RawQuery = ""
			require.Contains(t, []string{mvcBack, "http://localhost:5002/signin-oidc", spaBack}, u.String())
			answer := w.answer(out)
			require.NotEmpty(t, answer.Get("error"))
			require.Empty(t, answer.Get("code"))
			require.Equal(t, issuer, answer.Get("iss"))
		}
		if out.status == 200 {
			require.Contains(t, out.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			require.NotContains(t, strings.Replace(out.body, "<script>document.forms[0].submit()</script>", "", 1), "<script")
			require.NotContains(t, out.body, "ac1_")
		}
	})
}

func FuzzBasicHeader(f *testing.F) {
	for _, seed := range []string{basicHeader("mvc+client:mvc+secret"), basicHeader("worker:worker secret"), basicHeader("spa:"), basicHeader(":"),
		basicHeader("%zz:%"), "Basic", "Basic  ", "Basic =", "Bearer x", "", "\x00"} {
		f.Add(seed)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, header string) {
		r := formRequest("/token", "grant_type", "client_credentials")
		r.Header.Set("Authorization", header)
		out := w.fuzzed(t, r)
		if out.status == 200 {
			id, secret, ok := r.BasicAuth()
			require.True(t, ok)
			id, err1 := url.QueryUnescape(id)
			secret, err2 := url.QueryUnescape(secret)
			require.NoError(t, err1)
			require.NoError(t, err2)
			require.Equal(t, []string{"worker", "worker secret"}, []string{id, secret})
		}
	})
}

func FuzzRefreshToken(f *testing.F) {
	w := newWorld(f)
	good := w.signIn().str("refresh_token")
	for _, seed := range []string{good[:75] + "B", good[:10], good + "=", "rt1_" + strings.Repeat("A", 72), "ac1_" + good[4:], "", "rt1_\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if token == good {
			return
		}
		out := w.fuzzed(t, as(formRequest("/token", "grant_type", "refresh_token", "refresh_token", token), mvcID, mvcKey))
		assert.Contains(t, []string{"invalid_grant", "invalid_request"}, out.str("error"), "every token has one spelling, and this is not it")
		g := w.row(good)
		require.True(t, g.RevokedAt.IsZero() && g.Generation == 1)
	})
}

func FuzzClientAssertion(f *testing.F) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(f, err)
	set := []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"l","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`) // RFC 8037
	w := newWorld(f, func(w *world) {
		w.cfg.Clients = append(w.cfg.Clients, authserver.Client{ID: "robot", JWKS: set, GrantTypes: []string{"client_credentials"}, Scopes: []string{"api1"}})
	})
	for _, alg := range []string{"EdDSA", "Ed25519", "none", "HS256", "RS256", ""} {
		for _, kid := range []string{"k", "l", ""} {
			tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": "robot", "sub": "robot", "aud": issuer, "jti": "1",
				"exp": w.now().Add(time.Minute).Unix()})
			tok.Header["alg"], tok.Header["kid"] = alg, kid
			assertion, err := tok.SignedString(key)
			require.NoError(f, err)
			f.Add(assertion)
			f.Add(assertion[:strings.LastIndexByte(assertion, '.')+1])
		}
	}
	f.Add("..")
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, assertion string) {
		r := formRequest("/token", "grant_type", "client_credentials", "client_assertion", assertion,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		require.Contains(t, []int{400, 401}, w.fuzzed(t, r).status, "nobody has the client's key")
	})
}

func FuzzRevocationCursor(f *testing.F) {
	for _, table := range []map[string]string{goodCursors, badCursors} {
		for _, c := range table {
			f.Add(c)
		}
	}
	w := newWorld(f)
	w.mvc("/revoke", "token", w.refreshToken())
	f.Fuzz(func(t *testing.T, since string) {
		w.t = t
		out := w.revoked(since)
		require.Contains(t, []int{200, 400}, out.status)
		if out.status == 200 && since != "" {
			entries(t, out)
			require.Equal(t, 200, w.revoked(out.str("cursor")).status, "what is handed out can be read")
			raw, err := base64.RawURLEncoding.Strict().DecodeString(since)
			require.NoError(t, err)
			require.Equal(t, since, base64.RawURLEncoding.EncodeToString(raw), "every cursor has one spelling")
			require.Contains(t, []int{9, 33}, len(raw))
		}
	})
}
