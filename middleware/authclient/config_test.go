package authclient_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

func TestNewRejectsBadConfig(t *testing.T) {
	token := &oauth2.Token{AccessToken: "at", RefreshToken: "rt"}
	type config = authclient.Config
	for _, row := range []struct {
		name  string
		mod   func(*config)
		token *oauth2.Token
		want  string // part of the error
	}{
		{"no client", func(c *config) { c.OAuth2 = nil }, token, "OAuth2 is nil"},
		{"no client id", func(c *config) { c.OAuth2.ClientID = "" }, token, "ClientID is empty"},
		{"auth style auto-detect", func(c *config) { c.OAuth2.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect }, token,
			"set oauth2.AuthStyleInHeader (client_secret_basic) or oauth2.AuthStyleInParams"},
		{"unknown auth style", func(c *config) { c.OAuth2.Endpoint.AuthStyle = 7 }, token, "AuthStyle: 7 is unknown"},
		{"auth style in header without a secret", func(c *config) { c.OAuth2.ClientSecret = "" }, token, "needs oauth2.AuthStyleInParams"},
		{"no token endpoint", func(c *config) { c.OAuth2.Endpoint.TokenURL = "" }, token, "TokenURL is empty"},
		{"token endpoint over http", func(c *config) { c.OAuth2.Endpoint.TokenURL = "http://issuer.example/token" }, token,
			`TokenURL: "http://issuer.example/token": http on a host that is not loopback: use https`},
		{"token endpoint with a user", func(c *config) { c.OAuth2.Endpoint.TokenURL = "https://u:p@issuer.example/token" }, token,
			`TokenURL: "https://issuer.example/token": the URL has a user or a password`},
		{"token endpoint with a fragment", func(c *config) { c.OAuth2.Endpoint.TokenURL = "https://issuer.example/token#x" }, token,
			"TokenURL: \"https://issuer.example/token\": the URL has a fragment"},
		{"token endpoint without a host", func(c *config) { c.OAuth2.Endpoint.TokenURL = "/token" }, token, "TokenURL: \"/token\": not an absolute URL"},
		{"no origin", func(c *config) { c.Origins = nil }, token, "Origins is empty"},
		{"origin over http", func(c *config) { c.Origins = []string{"http://api.example"} }, token,
			`Origins: "http://api.example": http on a host that is not loopback: use https`},
		{"origin that is a host", func(c *config) { c.Origins = []string{"api.example"} }, token, `Origins: "api.example": not an absolute URL`},
		{"origin of another scheme", func(c *config) { c.Origins = []string{"ftp://api.example"} }, token, `Origins: "ftp://api.example": the scheme is "ftp"`},
		{"origin with a user", func(c *config) { c.Origins = []string{"https://api.example@evil.example"} }, token,
			`Origins: "https://evil.example": the URL has a user`},
		{"origin with a query", func(c *config) { c.Origins = []string{"https://api.example?x"} }, token,
			`Origins: "https://api.example": the URL has a query`},
		{"origin that is a pattern", func(c *config) { c.Origins = []string{"*"} }, token, `Origins: "*": not an absolute URL`},
		{"negative body", func(c *config) { c.MaxRetryBody = -1 }, token, "MaxRetryBody is negative"},
		{"negative margin", func(c *config) { c.Margin = -1 }, token, "Margin is negative"},
		{"no timeout", func(c *config) { c.Timeout = 0 }, token, "Timeout is 0s, not positive"},
		{"no clock", func(c *config) { c.Now = nil }, token, "Now is nil"},
		{"file store with an empty path", func(c *config) { c.Store = authclient.NewFileStore("") }, token, "the FileStore has an empty path"},
		{"no token and no store", func(*config) {}, nil, "there is no token"},
		{"empty token", func(*config) {}, &oauth2.Token{RefreshToken: "rt"}, "there is no access token"},
		{"token with a line break", func(*config) {}, &oauth2.Token{AccessToken: "a\r\nX: y"}, "that a header cannot carry"},
		{"token of an unknown type", func(*config) {}, &oauth2.Token{AccessToken: "at", TokenType: "mac"}, `"mac" is neither Bearer nor DPoP`},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := authclient.NewConfig(oauthConfig(), apiURL)
			row.mod(cfg)
			_, err := authclient.New(cfg, row.token)
			assert.ErrorContains(t, err, row.want)
		})
	}
}

func TestNewReportsAllProblemsAtOnce(t *testing.T) {
	cfg := authclient.NewConfig(&oauth2.Config{}, "nonsense")
	cfg.Timeout = -time.Second
	_, err := authclient.New(cfg, nil)
	require.Error(t, err)
	for _, part := range []string{"ClientID", "AuthStyle", "TokenURL", "nonsense", "Timeout", "there is no token"} {
		assert.ErrorContains(t, err, part)
	}
}

func TestNewRejectsConfigNotMadeByNewConfig(t *testing.T) {
	for _, cfg := range []*authclient.Config{nil, {}, {OAuth2: oauthConfig(), Origins: []string{apiURL}}} {
		_, err := authclient.New(cfg, &oauth2.Token{AccessToken: "at"})
		assert.ErrorContains(t, err, "NewConfig")
	}
}

func TestNewAcceptsConfig(t *testing.T) {
	for _, row := range []struct {
		name     string
		tokenURL string
		origin   string
		mod      func(*authclient.Config)
	}{
		{"https", tokenURL, apiURL, nil},
		{"a base URL with a path", tokenURL, apiURL + "/v1/", nil},
		{"http on localhost", "http://localhost:5000/token", "http://localhost:5001", nil},
		{"http on loopback IPv4", "http://127.0.0.1:5000/token", "http://127.0.0.2:5001", nil},
		{"http on loopback IPv6", "http://[::1]:5000/token", "http://[::1]", nil},
		{"http elsewhere with AllowInsecureHTTP", "http://issuer/token", "http://api", func(c *authclient.Config) { c.AllowInsecureHTTP = true }},
		{"a public client", tokenURL, apiURL, func(c *authclient.Config) {
			c.OAuth2.ClientSecret = ""
			c.OAuth2.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		}},
		{"a token endpoint with a query", tokenURL + "?tenant=1", apiURL, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			oauth := oauthConfig()
			oauth.Endpoint.TokenURL = row.tokenURL
			cfg := authclient.NewConfig(oauth, row.origin)
			if row.mod != nil {
				row.mod(cfg)
			}
			_, err := authclient.New(cfg, &oauth2.Token{AccessToken: "at"})
			assert.NoError(t, err)
		})
	}
}

func TestConfigIsCopied(t *testing.T) {
	w := newWorld()
	cfg := w.config()
	rt, err := authclient.New(cfg, w.login())
	require.NoError(t, err)
	cfg.Base, cfg.TokenTransport, cfg.OAuth2.ClientSecret, cfg.Origins[0] = nil, nil, "", "https://evil.example"
	assert.Equal(t, 200, get(t, rt))
	_, err = rt.Refresh(t.Context())
	assert.NoError(t, err)
}

func TestPrintingShowsNoSecret(t *testing.T) {
	w := newWorld()
	cfg := w.config()
	cfg.Store = authclient.NewMemoryStore()
	rt, err := authclient.New(cfg, w.login())
	require.NoError(t, err)
	require.NoError(t, rt.SetToken(t.Context(), w.login()))
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{rt, cfg.Store} {
			printed := fmt.Sprintf(format, v)
			for _, secret := range []string{"at-1", "rt-1", "mvc secret"} {
				assert.NotContains(t, printed, secret)
			}
		}
	}
}

// An error does not repeat a text in which the server echoes one of our secrets, in any encoding.
func TestErrorsShowNoSecret(t *testing.T) {
	for _, row := range []struct {
		name  string
		style oauth2.AuthStyle
		echo  func(r *http.Request, form url.Values) string
	}{
		{"the refresh token", oauth2.AuthStyleInHeader, func(_ *http.Request, form url.Values) string { return form.Get("refresh_token") }},
		{"the client's secret", oauth2.AuthStyleInParams, func(_ *http.Request, form url.Values) string { return form.Get("client_secret") }},
		{"the refresh token in the form", oauth2.AuthStyleInHeader, func(_ *http.Request, form url.Values) string { return form.Encode() }},
		{"the client's secret in the form", oauth2.AuthStyleInParams, func(_ *http.Request, form url.Values) string {
			form.Del("refresh_token")
			return form.Encode()
		}},
		{"the secret with a space as %20", oauth2.AuthStyleInParams, func(_ *http.Request, form url.Values) string {
			return url.PathEscape(form.Get("client_secret"))
		}},
		{"the Authorization header", oauth2.AuthStyleInHeader, func(r *http.Request, _ url.Values) string { return r.Header.Get("Authorization") }},
		{"the decoded Authorization header", oauth2.AuthStyleInHeader, func(r *http.Request, _ url.Values) string {
			id, secret, _ := r.BasicAuth()
			return id + ":" + secret
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld()
			token := w.login()
			token.RefreshToken = "1//rt+one=" // like those of some servers
			w.refresh = func(_ int, r *http.Request, form url.Values) (*http.Response, error) {
				body, err := json.Marshal(map[string]string{"error": "invalid_grant", "error_description": "invalid: " + row.echo(r, form)})
				return response(400, string(body)), err
			}
			cfg := w.config()
			cfg.OAuth2.Endpoint.AuthStyle = row.style
			rt, err := authclient.New(cfg, token)
			require.NoError(t, err)
			_, err = rt.Refresh(t.Context())
			require.ErrorIs(t, err, authclient.ErrLoginRequired)
			var answer *oauth2.RetrieveError
			require.ErrorAs(t, err, &answer)
			assert.NotContains(t, err.Error(), "invalid: ")
			assert.Empty(t, answer.ErrorDescription)
			assert.Empty(t, answer.Body)
		})
	}
}
