package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

const (
	origin   = "https://mcp.test"
	resource = origin + "/mcp"
)

// guarded is the example's handler for the tokens of iss.
func guarded(t *testing.T, iss *authtest.Issuer) http.Handler {
	cfg := iss.Config(resource)
	cfg.Resource = resource
	auth, err := middleware.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = auth.Close() })
	return handler(auth, origin)
}

// An MCP client with a token calls the tool, and the tool knows whose token it is.
func TestToolKnowsTheCaller(t *testing.T) {
	iss := authtest.NewIssuer(t, authtest.Audience(resource), authtest.Scope("api1"))
	server := httptest.NewServer(guarded(t, iss))
	defer server.Close()

	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "v0.0.0"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint:   server.URL + "/mcp",
		HTTPClient: &http.Client{Transport: withToken{iss.Token()}},
	}, nil)
	require.NoError(t, err)
	defer session.Close()
	answer, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami"})
	require.NoError(t, err)
	require.Len(t, answer.Content, 1)
	assert.Equal(t, "You are alice.", answer.Content[0].(*mcp.TextContent).Text)
}

type withToken struct{ token string }

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.token)
	return http.DefaultTransport.RoundTrip(r)
}

// Whoever has no good token is told where to get one, and nothing else.
func TestRefusals(t *testing.T) {
	iss := authtest.NewIssuer(t, authtest.Audience(resource), authtest.Scope("api1"))
	down := authtest.NewIssuer(t, authtest.Audience(resource), authtest.Scope("api1"))
	down.Outage(true)
	for _, row := range []struct {
		name    string
		request *http.Request
		iss     *authtest.Issuer
		status  int
		body    string
	}{
		{"no token", httptest.NewRequest("POST", "/mcp", nil), iss, 401, "no bearer token"},
		{"an expired token", iss.Request("POST", "/mcp", authtest.Expired), iss, 401, "invalid token: expired"},
		{"a token for another resource", iss.Request("POST", "/mcp", authtest.Audience("https://other.test/mcp")), iss, 401, "invalid token: wrong_audience"},
		{"a token without the scope", iss.Request("POST", "/mcp", authtest.Scope("profile")), iss, 403, "insufficient scope"},
		{"the issuer is down", down.Request("POST", "/mcp"), down, 500, "keys_unavailable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			guarded(t, row.iss).ServeHTTP(rec, row.request)
			assert.Equal(t, row.status, rec.Code)
			assert.Equal(t, row.body, strings.TrimSpace(rec.Body.String()))
			challenge := rec.Result().Header.Get("WWW-Authenticate")
			if row.status == http.StatusInternalServerError {
				assert.Empty(t, challenge, "a token that may be good is not called bad")
				return
			}
			assert.Contains(t, challenge, `resource_metadata="https://mcp.test/.well-known/oauth-protected-resource/mcp"`)
		})
	}
}

// The document that the challenge points to needs no token and names the issuer.
func TestMetadata(t *testing.T) {
	iss := authtest.NewIssuer(t)
	rec := httptest.NewRecorder()
	guarded(t, iss).ServeHTTP(rec, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource/mcp", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	var doc struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
	assert.Equal(t, resource, doc.Resource)
	assert.Equal(t, []string{iss.Name()}, doc.Servers)
}
