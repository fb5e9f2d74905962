package authserver_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRefreshJSON: POST /auth/refreshtoken is part of the contract, for clients that send JSON.
func TestRefreshJSON(t *testing.T) {
	send := func(w *world, body string, mod func(*http.Request)) reply {
		r := httptest.NewRequest("POST", issuer+"/auth/refreshtoken", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if mod != nil {
			mod(r)
		}
		return w.do(r)
	}
	basic := func(r *http.Request) { as(r, mvcID, mvcKey) }
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	for _, row := range []struct {
		name, body string
		mod        func(*http.Request)
		want       string
	}{
		{"Basic", `{"grant_type":"refresh_token","refresh_token":"RT"}`, basic, ""},
		{"members", `{"grant_type":"refresh_token","refresh_token":"RT","client_id":"mvc client","client_secret":"mvc secret"}`, nil, ""},
		{"scope and unknown members", `{"grant_type":"refresh_token","refresh_token":"RT","scope":"api1","x":{"y":[1]},"n":1}`, basic, ""},
		{"null is not sent", `{"grant_type":"refresh_token","refresh_token":"RT","scope":null}`, basic, ""},
		{"a list of resources", `{"grant_type":"refresh_token","refresh_token":"RT","resource":["api1"]}`, basic, ""},
		{"no client for a confidential client's token", `{"grant_type":"refresh_token","refresh_token":"RT"}`, nil, "invalid_client"},
		{"wrong secret", `{"grant_type":"refresh_token","refresh_token":"RT","client_id":"mvc client","client_secret":"x"}`, nil, "invalid_client"},
		{"no grant type", `{"refresh_token":"RT"}`, basic, "invalid_request"},
		{"another grant type", `{"grant_type":"authorization_code","code":"x"}`, basic, "unsupported_grant_type"},
		{"no refresh token", `{"grant_type":"refresh_token"}`, basic, "invalid_request"},
		{"invalid refresh token", `{"grant_type":"refresh_token","refresh_token":"4d3f3061e8e049689a586d8dfcba0d08"}`, basic, "invalid_grant"},
		{"invalid refresh token, no client", `{"grant_type":"refresh_token","refresh_token":"4d3f3061e8e049689a586d8dfcba0d08"}`, nil, "invalid_grant"},
		{"twice an unknown member", `{"grant_type":"refresh_token","refresh_token":"RT","x":1,"x":1}`, basic, "invalid_request"},
		{"twice a member, once escaped", `{"grant_type":"refresh_token","refresh_token":"RT","refresh_\u0074oken":"RT"}`, basic, "invalid_request"},
		{"twice a member, once null", `{"grant_type":"refresh_token","refresh_token":"RT","refresh_token":null}`, basic, "invalid_request"},
		{"twice a member", `{"grant_type":"refresh_token","refresh_token":"RT","refresh_token":"RT"}`, basic, "invalid_request"},
		{"another case is another name", `{"grant_type":"refresh_token","Refresh_Token":"RT"}`, basic, "invalid_request"},
		{"a number", `{"grant_type":"refresh_token","refresh_token":1}`, basic, "invalid_request"},
		{"an array", `[]`, basic, "invalid_request"},
		{"two objects", `{"grant_type":"refresh_token","refresh_token":"RT"}{}`, basic, "invalid_request"},
		{"half an object", `{"grant_type":"refresh_token"`, basic, "invalid_request"},
		{"nothing", ``, basic, "invalid_request"},
		{"a form", `grant_type=refresh_token`, func(r *http.Request) {
			basic(r)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, "invalid_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.t = t
			r := send(w, strings.ReplaceAll(row.body, "RT", token), row.mod)
			if row.want != "" {
				w.refused(r, row.want)
				return
			}
			require.Equal(t, http.StatusOK, r.status, r.body)
			assert.NotEmpty(t, r.str("refresh_token"))
			assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
		})
	}
	t.Run("without client_id, for a public client", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		a := w.answer(b.submit(b.get(authorizeURL("client_id", "spa", "redirect_uri", spaBack)), "username", "bob", "password", "bob"))
		r := w.form("/token", "grant_type", "authorization_code", "client_id", "spa", "code", a.Get("code"), "redirect_uri", spaBack,
			"code_verifier", verifier)
		require.Equal(t, http.StatusOK, r.status, r.body)
		again := send(w, `{"grant_type":"refresh_token","refresh_token":"`+r.str("refresh_token")+`"}`, nil)
		require.Equal(t, http.StatusOK, again.status, again.body)
		assert.NotEqual(t, r.str("refresh_token"), again.str("refresh_token"))
	})
	t.Run("the answer is one of the token endpoint", func(t *testing.T) {
		w := newWorld(t)
		first := w.signIn()
		r := send(w, `{"grant_type":"refresh_token","refresh_token":"`+first.str("refresh_token")+`"}`, basic)
		require.Equal(t, http.StatusOK, r.status, r.body)
		assert.Equal(t, []string{"application/json;charset=UTF-8"}, r.header.Values("Content-Type"))
		assert.Equal(t, []string{"no-store"}, r.header.Values("Cache-Control"))
		assert.Equal(t, []string{"no-cache"}, r.header.Values("Pragma"))
		assert.ElementsMatch(t, slices.Collect(maps.Keys(first.json)), slices.Collect(maps.Keys(r.json)))
		assert.Equal(t, "Bearer", r.str("token_type"))
		assert.Equal(t, 300.0, r.json["expires_in"])
		assert.Equal(t, allScope, r.str("scope"))
		assert.Equal(t, http.StatusOK, w.refresh(r.str("refresh_token")).status, "both endpoints know the same refresh tokens")
	})
	t.Run("only POST, and nothing in the query", func(t *testing.T) {
		w := newWorld(t)
		token := w.signIn().str("refresh_token")
		get := w.do(httptest.NewRequest("GET", issuer+"/auth/refreshtoken", nil))
		assert.Equal(t, http.StatusMethodNotAllowed, get.status)
		assert.Equal(t, "POST", get.header.Get("Allow"))
		w.refused(send(w, `{"grant_type":"refresh_token"}`, func(r *http.Request) {
			basic(r)
			r.URL.RawQuery = "refresh_token=" + token
		}), "invalid_request")
		assert.Equal(t, http.StatusOK, w.refresh(token).status)
	})
	t.Run("more than 64 KiB", func(t *testing.T) {
		w.t = t
		w.refused(send(w, `{"x":"`+strings.Repeat("a", 64<<10)+`"}`, basic), "invalid_request")
	})
}
