package authserver_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func TestLoginPage(t *testing.T) {
	w := newWorld(t, func(w *world) { w.client(mvcID).Name = "Shop <b>&</b> more" })
	r := w.do(httptest.NewRequest("GET", authorizeURL("login_hint", `"><script>`), nil))
	require.Equal(t, http.StatusOK, r.status)
	assert.Contains(t, r.body, "to continue to Shop &lt;b&gt;&amp;&lt;/b&gt; more")
	assert.Contains(t, r.body, `name="username"`)
	assert.Contains(t, r.body, `name="password"`)
	assert.Contains(t, r.body, `name="csrf"`)
	assert.NotContains(t, r.body, "<script")
	csp := r.header.Get("Content-Security-Policy")
	assert.Contains(t, csp, "default-src 'none'")
	assert.Contains(t, csp, "frame-ancestors 'none'")
	assert.Contains(t, csp, "form-action 'self' http://127.0.0.1:5002", "browsers apply it to the redirect after the form too")
	assert.NotContains(t, csp, "unsafe")
	assert.Equal(t, "DENY", r.header.Get("X-Frame-Options"))
	assert.Equal(t, "same-origin", r.header.Get("Referrer-Policy"))
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
}

func TestLoginRefusals(t *testing.T) {
	good := []string{"username", "alice", "password", "alice"}
	for _, row := range []struct {
		name   string
		fields []string
		mod    func(*http.Request)
		status int
	}{
		{"wrong password", []string{"username", "alice", "password", "x"}, nil, http.StatusForbidden},
		{"unknown user", []string{"username", "mallory", "password", "x"}, nil, http.StatusForbidden},
		{"empty password", []string{"username", "alice", "password", ""}, nil, http.StatusForbidden},
		{"no cookie", good, func(r *http.Request) { r.Header.Del("Cookie") }, http.StatusForbidden},
		{"from another site", good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden},
		{"from another origin", good, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, http.StatusForbidden},
		{"by GET", good, func(r *http.Request) { r.Method = "GET" }, http.StatusMethodNotAllowed},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			page := b.get(authorizeURL())
			fields := row.fields
			for _, h := range hidden.FindAllStringSubmatch(page.body, -1) {
				fields = append(fields, h[1], h[2])
			}
			r := formRequest("/login", fields...)
			for _, c := range b.jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
			if row.mod != nil {
				row.mod(r)
			}
			out := w.do(r)
			assert.Equal(t, row.status, out.status, out.body)
			assert.NotContains(t, strings.Join(out.header.Values("Set-Cookie"), " "), "session")
		})
	}
}

func TestLoginFormOfAnotherRequestIsRefused(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	page := b.get(authorizeURL())
	other := strings.TrimPrefix(authorizeURL("state", "abc"), issuer+"/authorize?")
	page.body = regexp.MustCompile(`name="return" value="[^"]*"`).ReplaceAllString(page.body,
		`name="return" value="`+base64.RawURLEncoding.EncodeToString([]byte(other))+`"`)
	assert.Equal(t, http.StatusForbidden, b.submit(page, "username", "alice", "password", "alice").status)
}

func TestUnknownUserLooksLikeWrongPassword(t *testing.T) {
	w := newWorld(t)
	answer := func(name string) string {
		b := w.browser()
		out := b.submit(b.get(authorizeURL()), "username", name, "password", "wrong")
		body := strings.ReplaceAll(out.body, `value="`+name+`"`, "")
		return hidden.ReplaceAllString(body, "")
	}
	assert.Equal(t, answer("alice"), answer("nobody"))
	_, err := w.users.Authenticate(t.Context(), "alice", "wrong")
	assert.ErrorIs(t, err, authserver.ErrAccessDenied)
	_, err = w.users.Authenticate(t.Context(), "nobody", "alice") // the password of the entry that unknown names are compared with
	assert.ErrorIs(t, err, authserver.ErrAccessDenied)
}

func TestLoginIsThrottled(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	try := func(name, password, remote string) int {
		page := b.get(authorizeURL("prompt", "login"))
		fields := []string{"username", name, "password", password}
		for _, h := range hidden.FindAllStringSubmatch(page.body, -1) {
			fields = append(fields, h[1], h[2])
		}
		r := formRequest("/login", fields...)
		r.RemoteAddr = remote
		return b.do(r).status
	}
	const here, there = "192.0.2.1:1000", "198.51.100.7:1000"
	for range 9 {
		require.Equal(t, http.StatusForbidden, try("alice", "wrong", here))
	}
	assert.Equal(t, http.StatusSeeOther, try("alice", "alice", here), "a success forgets the failures")
	for range 10 {
		require.Equal(t, http.StatusForbidden, try("alice", "wrong", here))
	}
	assert.Equal(t, http.StatusTooManyRequests, try("alice", "alice", here), "even the right password")
	assert.Equal(t, http.StatusSeeOther, try("alice", "alice", there), "from elsewhere it goes on: nobody can lock alice out")
	assert.Equal(t, http.StatusSeeOther, try("bob", "bob", here), "others behind the same address go on")
	w.advance(15 * time.Minute)
	assert.Equal(t, http.StatusSeeOther, try("alice", "alice", here))
	assert.Contains(t, w.kinds(), "login.throttled")
}

type downUsers struct{ authserver.Users }

func (downUsers) Authenticate(context.Context, string, string) (*authserver.User, error) {
	return nil, errors.New("directory is down")
}

func TestLoginWhenUsersFail(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.Users = downUsers{w.cfg.Users} })
	b := w.browser()
	out := b.submit(b.get(authorizeURL()), "username", "alice", "password", "alice")
	assert.Equal(t, http.StatusServiceUnavailable, out.status)
	assert.NotContains(t, out.body, "directory")
}

func TestPasswordHashes(t *testing.T) {
	hash := authserver.HashPassword("correct horse")
	assert.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$`, hash)
	assert.NotEqual(t, hash, authserver.HashPassword("correct horse"), "salted")
	l, err := authserver.NewUserList(authserver.User{Subject: "1", Username: "a", PasswordHash: hash})
	require.NoError(t, err)
	_, err = l.Authenticate(t.Context(), "a", "correct horse")
	assert.NoError(t, err)
	_, err = l.Authenticate(t.Context(), "a", "wrong horse")
	assert.ErrorIs(t, err, authserver.ErrAccessDenied)
	for _, bad := range []string{"", "secret", "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$2a$"} {
		assert.Error(t, l.Set(authserver.User{Subject: "2", Username: "b", PasswordHash: bad}), bad)
	}
	_, err = authserver.NewUserList(authserver.User{Subject: "1", Username: "a", PasswordHash: hash},
		authserver.User{Subject: "1", Username: "b", PasswordHash: hash}, authserver.User{Subject: "2", Username: "a", PasswordHash: hash})
	assert.ErrorContains(t, err, "two users with this subject")
	assert.ErrorContains(t, err, "taken")
}
