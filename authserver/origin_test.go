package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// originOf is the Origin header of a form that a browser sends from a page to the page's own site (Fetch, "append a
// request Origin header"): the page's Referrer-Policy decides.
func originOf(page reply) string {
	if page.header.Get("Referrer-Policy") == "no-referrer" {
		return "null"
	}
	return issuer
}

// submitFrom fills in a form like a browser that sends Origin but no fetch metadata.
func (b *browser) submitFrom(page reply, origin string, pairs ...string) reply {
	b.w.t.Helper()
	b.origin = origin
	defer func() { b.origin = "" }()
	return b.submit(page, pairs...)
}

func TestFormsFromBrowsersWithoutFetchMetadata(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	login := b.get(authorizeURL())
	for _, origin := range []string{"null", "https://evil.example"} {
		assert.Equal(t, http.StatusForbidden, b.submitFrom(login, origin, "username", "alice", "password", "alice").status, origin)
	}
	again := b.submitFrom(login, originOf(login), "username", "alice", "password", "wrong")
	assert.Equal(t, http.StatusForbidden, again.status)
	assert.Contains(t, again.body, "User name or password is wrong", "the form was taken")
	answer := b.submitFrom(again, originOf(again), "username", "alice", "password", "alice")
	require.Equal(t, http.StatusSeeOther, answer.status, answer.body)
	assert.Equal(t, "no-referrer", answer.header.Get("Referrer-Policy"), "the client learns nothing of the request")

	logout := b.get(issuer + "/end_session")
	assert.Equal(t, http.StatusForbidden, b.submitFrom(logout, "null").status)
	done := b.submitFrom(logout, originOf(logout))
	assert.Equal(t, http.StatusOK, done.status, done.body)
	assert.Contains(t, done.body, "Signed out")
	assert.Equal(t, "no-referrer", done.header.Get("Referrer-Policy"), "a page without a form")
	assert.Equal(t, "no-referrer", w.do(httptest.NewRequest("GET", issuer+"/authorize", nil)).header.Get("Referrer-Policy"))
}
