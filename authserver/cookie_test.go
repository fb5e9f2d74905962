package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With an issuer that has a path, pages and cookies stay below it.
func TestIssuerWithAPathOrHTTP(t *testing.T) {
	for _, row := range []struct{ issuer, cookie, path string }{
		{"https://login.example/t/one", "__Secure-bearergate-session", "Path=/t/one;"},
		{"http://localhost:5000/", "bearergate-session", "Path=/;"},
	} {
		w := newWorld(t, func(w *world) { w.cfg.Issuer = row.issuer })
		base := strings.TrimSuffix(row.issuer, "/")
		target := strings.Replace(authorizeURL(), issuer, base, 1)
		b := w.browser()
		page := b.do(httptest.NewRequest("GET", target, nil))
		require.Equal(t, http.StatusOK, page.status, row.issuer)
		fields := []string{"username", "alice", "password", "alice"}
		for _, h := range hidden.FindAllStringSubmatch(page.body, -1) {
			fields = append(fields, h[1], h[2])
		}
		form := formRequest("", fields...)
		u, err := url.Parse(base)
		require.NoError(t, err)
		form.URL, err = u.Parse(action.FindStringSubmatch(page.body)[1])
		require.NoError(t, err)
		form.Host, form.RequestURI = u.Host, ""
		in := b.do(form)
		require.Equal(t, http.StatusSeeOther, in.status, in.body)
		cookie := strings.Join(in.header.Values("Set-Cookie"), "\n")
		assert.Contains(t, cookie, row.cookie+"=")
		assert.Contains(t, cookie+";", row.path)
		next, err := u.Parse(in.header.Get("Location"))
		require.NoError(t, err)
		assert.Equal(t, row.issuer, w.answer(b.do(httptest.NewRequest("GET", next.String(), nil))).Get("iss"))
	}
}

func TestLoginCookies(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	page := b.get(authorizeURL())
	answer := b.submit(page, "username", "alice", "password", "alice")
	require.Equal(t, http.StatusSeeOther, answer.status)
	cookies := b.jar.Cookies(httptest.NewRequest("GET", issuer+"/", nil).URL)
	assert.Len(t, cookies, 2)
	for _, line := range page.header.Values("Set-Cookie") {
		assert.Regexp(t, `^__Host-bearergate-[a-z]+=`, line)
		for _, attribute := range []string{"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} {
			assert.Contains(t, line, attribute)
		}
	}
	for _, c := range cookies {
		assert.NotContains(t, c.Value, "alice")
	}
}
