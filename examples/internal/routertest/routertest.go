// Package routertest is the one test of every example that mounts the middleware in a router: the same routes must give the
// same answers in all of them.
package routertest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// Run tests a router with three routes: GET /public is open, GET /identity needs a token, POST /orders also the scope api1.
func Run(t *testing.T, router func(*middleware.Bearer) http.Handler) {
	t.Run("answers", func(t *testing.T) { testAnswers(t, router) })
	t.Run("issuer outage", func(t *testing.T) { testOutage(t, router) })
}

func testAnswers(t *testing.T, router func(*middleware.Bearer) http.Handler) {
	iss := authtest.NewIssuer(t, authtest.Scope("api1"))
	auth, err := middleware.New(iss.Config("api1"))
	require.NoError(t, err)
	defer auth.Close()
	handler := router(auth)

	for _, row := range []struct {
		name    string
		request *http.Request
		status  int
		body    string // "" for any
	}{
		{"public, no token", httptest.NewRequest("GET", "/public", nil), 200, "Hello, whoever you are.\n"},
		{"protected, no token", httptest.NewRequest("GET", "/identity", nil), 401, ""},
		{"protected, a good token", iss.Request("GET", "/identity"), 200, "Hello, alice.\n"},
		{"protected, another user", iss.Request("GET", "/identity", authtest.Subject("bob")), 200, "Hello, bob.\n"},
		{"protected, an expired token", iss.Request("GET", "/identity", authtest.Expired), 401, ""},
		{"scope missing", iss.Request("POST", "/orders", authtest.Scope("profile")), 403, ""},
		{"scope there", iss.Request("POST", "/orders"), 201, "An order of alice.\n"},
		{"scope there, expired", iss.Request("POST", "/orders", authtest.Expired), 401, ""},
		{"two tokens", twoTokens(iss), 400, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, row.request)
			assert.Equal(t, row.status, rec.Code)
			if row.status >= 400 {
				assert.Contains(t, rec.Result().Header.Get("WWW-Authenticate"), `Bearer realm="api1"`)
				assert.NotContains(t, rec.Body.String(), "alice", "the handler did not run")
			}
			if row.body != "" {
				assert.Equal(t, row.body, rec.Body.String())
			}
		})
	}
}

// While the issuer is down, no client is told that its token is bad.
func testOutage(t *testing.T, router func(*middleware.Bearer) http.Handler) {
	iss := authtest.NewIssuer(t)
	iss.Outage(true)
	auth, err := middleware.New(iss.Config("api1"))
	require.NoError(t, err)
	defer auth.Close()

	rec := httptest.NewRecorder()
	router(auth).ServeHTTP(rec, iss.Request("GET", "/identity"))
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
	assert.NotEmpty(t, rec.Result().Header.Get("Retry-After"))
}

func twoTokens(iss *authtest.Issuer) *http.Request {
	r := iss.Request("POST", "/orders")
	r.Header.Add("Authorization", r.Header.Get("Authorization"))
	return r
}
