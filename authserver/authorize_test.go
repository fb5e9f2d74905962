package authserver_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func TestAuthorizeRefusals(t *testing.T) {
	for _, row := range []struct {
		name  string
		pairs []string
		want  string // the error sent to the client; "": a page, because no redirect URI can be trusted
	}{
		{"client is missing", []string{"client_id", ""}, ""},
		{"client is unknown", []string{"client_id", "nobody"}, ""},
		{"redirect URI is missing though there are two", []string{"redirect_uri", ""}, ""},
		{"redirect URI is unknown", []string{"redirect_uri", "https://evil.example/"}, ""},
		{"redirect URI differs in case", []string{"redirect_uri", "http://127.0.0.1:5002/Signin-oidc"}, ""},
		{"redirect URI has a longer path", []string{"redirect_uri", mvcBack + "/x"}, ""},
		{"redirect URI has a query", []string{"redirect_uri", mvcBack + "?x"}, ""},
		{"redirect URI has another port", []string{"redirect_uri", "http://127.0.0.1:5009/signin-oidc"}, ""},
		{"response_type is missing", []string{"response_type", ""}, "invalid_request"},
		{"implicit", []string{"response_type", "token"}, "unsupported_response_type"},
		{"hybrid", []string{"response_type", "code id_token"}, "unsupported_response_type"},
		{"fragment answers", []string{"response_mode", "fragment"}, "invalid_request"},
		{"scope is missing", []string{"scope", ""}, "invalid_scope"},
		{"scope is not the client's", []string{"scope", "openid admin"}, "invalid_scope"},
		{"scope is malformed", []string{"scope", `open"id`}, "invalid_scope"},
		{"challenge without method is plain", []string{"code_challenge_method", ""}, "invalid_request"},
		{"plain", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"challenge too short", []string{"code_challenge", "abc"}, "invalid_request"},
		{"method without challenge", []string{"code_challenge", ""}, "invalid_request"},
		{"request object", []string{"request", "eyJ"}, "request_not_supported"},
		{"request_uri", []string{"request_uri", "https://a.example"}, "request_uri_not_supported"},
		{"prompt is malformed", []string{"prompt", "none login"}, "invalid_request"},
		{"max_age is no number", []string{"max_age", "soon"}, "invalid_request"},
		{"nobody is signed in and nobody may be asked", []string{"prompt", "none"}, "login_required"},
		{"resource is unknown", []string{"resource", "https://other.example"}, "invalid_target"},
		{"resource without scope", []string{"resource", "https://files.example"}, "invalid_target"},
		{"public client without PKCE", []string{"client_id", "spa", "redirect_uri", spaBack, "code_challenge", "",
			"code_challenge_method", ""}, "invalid_request"},
		{"client without the grant", []string{"client_id", "worker"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.do(httptest.NewRequest("GET", authorizeURL(row.pairs...), nil))
			assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
			if row.want == "" {
				assert.Equal(t, http.StatusBadRequest, r.status)
				assert.Empty(t, r.header.Get("Location"))
				assert.NotContains(t, r.body, "evil", "nothing of the request is on the page")
				return
			}
			a := w.answer(r)
			assert.Equal(t, row.want, a.Get("error"))
			assert.Equal(t, "xyz", a.Get("state"))
			assert.Equal(t, issuer, a.Get("iss"))
			assert.NotEmpty(t, a.Get("error_description"))
		})
	}
}

func TestAuthorizeDuplicates(t *testing.T) {
	w := newWorld(t)
	r := w.do(httptest.NewRequest("GET", authorizeURL()+"&redirect_uri="+url.QueryEscape(mvcBack), nil))
	assert.Equal(t, http.StatusBadRequest, r.status, "twice the redirect URI: nowhere to answer")
	a := w.answer(w.do(httptest.NewRequest("GET", authorizeURL()+"&scope=openid", nil)))
	assert.Equal(t, "invalid_request", a.Get("error"))
	assert.Equal(t, "xyz", a.Get("state"))
}

func TestAuthorizeAnswers(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	a := w.answer(b.submit(b.get(authorizeURL()), "username", "alice", "password", "alice"))
	assert.Equal(t, "xyz", a.Get("state"))
	assert.Equal(t, issuer, a.Get("iss"), "RFC 9207")
	assert.NotEmpty(t, a.Get("code"))

	t.Run("signed in already: no form", func(t *testing.T) {
		again := w.answer(b.get(authorizeURL("prompt", "none")))
		assert.NotEmpty(t, again.Get("code"))
		assert.NotEqual(t, a.Get("code"), again.Get("code"))
	})
	t.Run("prompt=login: the form, and then on", func(t *testing.T) {
		page := b.get(authorizeURL("prompt", "login"))
		require.Equal(t, http.StatusOK, page.status)
		assert.NotEmpty(t, w.answer(b.submit(page, "username", "alice", "password", "alice")).Get("code"))
	})
	t.Run("max_age has passed: the form, and then on", func(t *testing.T) {
		w.advance(11 * time.Second)
		page := b.get(authorizeURL("max_age", "10"))
		require.Equal(t, http.StatusOK, page.status)
		assert.NotEmpty(t, w.answer(b.submit(page, "username", "alice", "password", "alice")).Get("code"))
	})
	t.Run("the credential changed since: the form", func(t *testing.T) {
		w.advance(time.Second)
		u, err := w.users.User(t.Context(), "alice-1")
		require.NoError(t, err)
		u.SignInAgainAfter = w.now()
		require.NoError(t, w.users.Set(*u))
		assert.Equal(t, http.StatusOK, b.get(authorizeURL()).status)
	})
	t.Run("the sign-in has run out: the form", func(t *testing.T) {
		b := w.browser()
		w.answer(b.submit(b.get(authorizeURL()), "username", "bob", "password", "bob"))
		assert.Equal(t, http.StatusSeeOther, b.get(authorizeURL()).status)
		w.advance(8 * time.Hour)
		assert.Equal(t, http.StatusOK, b.get(authorizeURL()).status)
	})
}

func TestAuthorizeAnswersByFormPost(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	page := b.submit(b.get(authorizeURL("response_mode", "form_post", "state", `"><b>`)), "username", "alice", "password", "alice")
	require.Equal(t, http.StatusOK, page.status, page.body)
	assert.Equal(t, mvcBack, action.FindStringSubmatch(page.body)[1])
	assert.NotContains(t, page.body, `"><b>`)
	csp := page.header.Get("Content-Security-Policy")
	assert.Contains(t, csp, "form-action http://127.0.0.1:5002")
	assert.Contains(t, csp, "script-src 'sha256-")
	assert.Equal(t, "no-store", page.header.Get("Cache-Control"))
	sent := map[string]string{}
	for _, h := range hidden.FindAllStringSubmatch(page.body, -1) {
		sent[h[1]] = html.UnescapeString(h[2])
	}
	assert.Equal(t, `"><b>`, sent["state"])
	assert.Equal(t, issuer, sent["iss"])
	assert.Equal(t, http.StatusOK, w.exchange(sent["code"]).status)

	page = w.browser().get(authorizeURL("response_mode", "form_post", "prompt", "none"))
	assert.Contains(t, page.body, `name="error" value="login_required"`)
}

func TestAuthorizeByPOST(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	u, err := url.Parse(authorizeURL())
	require.NoError(t, err)
	r := httptest.NewRequest("POST", issuer+"/authorize", strings.NewReader(u.RawQuery))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := w.answer(b.submit(b.do(r), "username", "alice", "password", "alice"))
	assert.NotEmpty(t, a.Get("code"))
}

func TestRedirectURIIsOptionalIfThereIsOne(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	a := w.answer(b.submit(b.get(authorizeURL("client_id", "spa", "redirect_uri", "")), "username", "alice", "password", "alice"))
	r := w.form("/token", "grant_type", "authorization_code", "client_id", "spa", "code", a.Get("code"), "code_verifier", verifier)
	assert.Equal(t, http.StatusOK, r.status, r.body)
}

func TestNativeClientsMayVaryTheLoopbackPort(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.client("spa").Native = true
		w.client("spa").RedirectURIs = []string{"http://127.0.0.1/callback?a=1", "com.example.app:/done"}
	})
	for uri, ok := range map[string]bool{
		"http://127.0.0.1:49152/callback?a=1":   true,
		"http://127.0.0.1/callback?a=1":         true,
		"com.example.app:/done":                 true,
		"http://127.0.0.1:/callback?a=1":        false,
		"http://127.0.0.1:123456/callback?a=1":  false,
		"http://127.0.0.1:49152/callback":       false,
		"http://localhost:49152/callback?a=1":   false,
		"http://127.0.0.1.evil/callback?a=1":    false,
		"http://127.0.0.1:80@evil/callback?a=1": false,
		"https://127.0.0.1:49152/callback?a=1":  false,
	} {
		r := w.do(httptest.NewRequest("GET", authorizeURL("client_id", "spa", "redirect_uri", uri), nil))
		want := http.StatusBadRequest
		if ok {
			want = http.StatusOK
		}
		assert.Equal(t, want, r.status, uri)
	}
}

func TestLoginFunc(t *testing.T) {
	var in *authserver.Login
	var asked []bool
	back := ""
	w := newWorld(t, func(w *world) {
		w.cfg.Login = func(rw http.ResponseWriter, r *http.Request, fresh bool) (*authserver.Login, error) {
			asked = append(asked, fresh)
			if in == nil || fresh {
				back = r.URL.String()
				http.Redirect(rw, r, "/our-login", http.StatusSeeOther)
				return nil, nil
			}
			return in, nil
		}
	})
	get := func(target string) reply {
		asked = nil
		return w.do(httptest.NewRequest("GET", target, nil))
	}
	assert.Equal(t, "/our-login", get(authorizeURL()).header.Get("Location"))
	none := get(authorizeURL("prompt", "none"))
	assert.Equal(t, "login_required", w.answer(none).Get("error"), "no page is shown")

	in = &authserver.Login{Subject: "bob-2", AuthTime: w.now(), SessionID: "s-1", ACR: "gold", AMR: []string{"hwk"}}
	assert.NotEmpty(t, w.answer(get(authorizeURL("prompt", "none"))).Get("code"))
	a := w.answer(get(issuer + back))
	_, access := claims(t, w.exchange(a.Get("code")).str("access_token"))
	assert.Equal(t, "bob-2", access["sub"])
	assert.Equal(t, "s-1", access["sid"])
	assert.Equal(t, "gold", access["acr"])
	assert.Equal(t, []any{"hwk"}, access["amr"])

	assert.Equal(t, "/our-login", get(authorizeURL("prompt", "login")).header.Get("Location"))
	assert.Equal(t, []bool{true}, asked)
	assert.NotEmpty(t, w.answer(get(issuer+back)).Get("code"), "coming back is not asked again")
	w.advance(time.Minute)
	assert.Equal(t, "/our-login", get(authorizeURL("max_age", "10")).header.Get("Location"))
	assert.Equal(t, []bool{false, true}, asked)

	assert.Equal(t, http.StatusNotFound, w.form("/login", "username", "alice", "password", "alice").status)
}

func TestLoginFuncRefuses(t *testing.T) {
	for err, want := range map[error]string{authserver.ErrAccessDenied: "access_denied", errBroken: "server_error"} {
		w := newWorld(t, func(w *world) {
			w.cfg.Login = func(http.ResponseWriter, *http.Request, bool) (*authserver.Login, error) { return nil, err }
		})
		r := w.do(httptest.NewRequest("GET", authorizeURL(), nil))
		assert.Equal(t, want, w.answer(r).Get("error"))
		assert.NotContains(t, r.header.Get("Location"), "disk", "what broke is for the log")
	}
}
