package authserver_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Many scopes cost no more than one long one: anybody can send them to the authorization endpoint.
func TestManyScopesAreCheap(t *testing.T) {
	w := newWorld(t)
	cost := func(scope string) time.Duration { // the least of some, as the machine may be busy
		least := time.Hour
		for range 5 {
			r := formRequest("/authorize", "client_id", mvcID, "redirect_uri", mvcBack, "response_type", "code", "scope", scope)
			begin := time.Now()
			a := w.do(r)
			least = min(least, time.Since(begin))
			require.Equal(t, http.StatusSeeOther, a.status)
			require.Equal(t, "invalid_scope", w.answer(a).Get("error"))
		}
		return least
	}
	var many strings.Builder
	for i := 36 * 36; many.Len() < 60_000; i++ { // three letters each
		many.WriteString(strconv.FormatInt(int64(i), 36) + "+")
	}
	scopes := strings.ReplaceAll(many.String(), "+", " ")
	assert.Less(t, cost(scopes), 20*cost(strings.ReplaceAll(scopes, " ", "x"))+100*time.Millisecond)
}

// A row holds each scope once, however often a request repeats it.
func TestScopesAreStoredOnce(t *testing.T) {
	many := []string{"openid", "api1", "offline_access"}
	for i := range 60 {
		many = append(many, "more:"+strconv.Itoa(i))
	}
	w := newWorld(t, func(w *world) {
		c := w.client(mvcID)
		c.Scopes = append(c.Scopes, many[3:]...)
		w.cfg.Resources["api1"] = append(w.cfg.Resources["api1"], many[3:]...)
	})
	for _, scopes := range [][]string{many[:3], many} {
		r := w.signIn("scope", strings.Repeat(strings.Join(scopes, " ")+" ", 50))
		assert.Equal(t, scopes, w.row(r.str("refresh_token")).Scopes)
	}
}

// A row holds each resource once, however often a request repeats it.
func TestResourcesAreStoredOnce(t *testing.T) {
	w := newWorld(t)
	query := strings.Repeat("&resource=api1&resource=https://files.example", 500)
	b := w.browser()
	target := authorizeURL("scope", "openid api1 files:read offline_access") + query
	code := w.answer(b.submit(b.get(target), "username", "alice", "password", "alice")).Get("code")
	r := w.exchange(code)
	require.Equal(t, http.StatusOK, r.status, r.body)
	kept := w.row(r.str("refresh_token")).Resources
	require.Len(t, kept, 2)
	assert.Equal(t, []string{"api1", "https://files.example"}, kept)
}
