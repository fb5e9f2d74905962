package authserver_test

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"
)

// browser is a user agent with cookies that stops at redirects to other hosts.
type browser struct {
	w      *world
	jar    *cookiejar.Jar
	origin string // that it sends with forms
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return &browser{w: w, jar: jar}
}

func (b *browser) do(r *http.Request) reply {
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	if b.origin != "" && r.Method == http.MethodPost {
		r.Header.Set("Origin", b.origin)
	}
	rec := httptest.NewRecorder()
	b.w.srv.ServeHTTP(rec, r)
	b.jar.SetCookies(r.URL, rec.Result().Cookies())
	return reply{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
}

// get follows redirects within the server.
func (b *browser) get(target string) reply {
	for range 5 {
		out := b.do(httptest.NewRequest("GET", target, nil))
		next := out.header.Get("Location")
		if next == "" {
			return out
		}
		u, err := url.Parse(target)
		require.NoError(b.w.t, err)
		if u, err = u.Parse(next); u.Host != "login.example" {
			require.NoError(b.w.t, err)
			return out
		}
		target = u.String()
	}
	b.w.t.Fatal("too many redirects")
	return reply{}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

var action = regexp.MustCompile(`<form method="post" action="([^"]*)">`)

// submit fills in the form of a page and sends it.
func (b *browser) submit(p reply, pairs ...string) reply {
	b.w.t.Helper()
	m := action.FindStringSubmatch(p.body)
	require.NotNil(b.w.t, m, p.body)
	for _, h := range hidden.FindAllStringSubmatch(p.body, -1) {
		pairs = append(pairs, h[1], html.UnescapeString(h[2]))
	}
	out := b.do(formRequest(html.UnescapeString(m[1]), pairs...))
	if next := out.header.Get("Location"); strings.HasPrefix(next, "/") {
		return b.get(issuer + next)
	}
	return out
}

// authorizeURL is a request of the mvc client, changed by name, value pairs. An empty value removes the parameter.
func authorizeURL(pairs ...string) string {
	v := url.Values{"response_type": {"code"}, "client_id": {mvcID}, "redirect_uri": {mvcBack}, "scope": {allScope},
		"state": {"xyz"}, "nonce": {"n-0S6"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return issuer + "/authorize?" + v.Encode()
}
