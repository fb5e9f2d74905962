package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
)

// TestResourceServerIssuesNothing asks a resource server for tokens in every way that the token endpoint knows, and
// looks for anything in its package that could sign.
func TestResourceServerIssuesNothing(t *testing.T) {
	w := newWorld(t)
	cfg := middleware.NewConfig(issuer, "api1")
	cfg.Issuer.Keys, cfg.Now = w.cfg.Keys, w.now
	api, err := middleware.New(cfg)
	require.NoError(t, err)
	h := api.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("the resource")) }))
	first := w.signIn()
	for name, pairs := range map[string][]string{
		"refresh token": {"grant_type", "refresh_token", "refresh_token", first.str("refresh_token")},
		"code":          {"grant_type", "authorization_code", "code", w.code(), "redirect_uri", mvcBack, "code_verifier", verifier},
		"credentials":   {"grant_type", "client_credentials"},
	} {
		for token, want := range map[string]int{"": 401, first.str("refresh_token"): 401, first.str("access_token"): 200} {
			r := as(formRequest("/token", pairs...), mvcID, mvcKey)
			if r.Header.Del("Authorization"); token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			assert.Equal(t, want, rec.Code, name)
			assert.NotContains(t, rec.Body.String(), "token\":", name)
			assert.Empty(t, rec.Header().Values("Set-Cookie"), name)
		}
	}
	assert.Equal(t, http.StatusOK, w.refresh(first.str("refresh_token")).status, "the resource server has spent nothing")

	files, err := filepath.Glob("../middleware/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	signs := regexp.MustCompile(`\.Sign(ed)?(String|ingString)?\(|NewWithClaims|PrivateKey|jwks\.NewRotator`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Empty(t, signs.FindString(string(text)), file)
	}
}
