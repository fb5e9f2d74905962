package authclient_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authclient"
)

func TestWhereTheTokenGoes(t *testing.T) {
	for _, row := range []struct {
		origin string
		target string
		want   bool
	}{
		{"https://api.example", "https://api.example/identity", true},
		{"https://api.example", "https://api.example:443/", true},
		{"https://api.example:443", "https://api.example", true},
		{"https://API.example", "https://api.EXAMPLE/", true},
		{"HTTPS://api.example/v1/", "https://api.example/v2?x=y", true},
		{"https://api.example:8443", "https://api.example:8443/", true},
		{"http://127.0.0.1", "http://127.0.0.1:80/", true},
		{"http://[::1]:5001", "http://[::1]:5001/", true},

		{"https://api.example", "http://api.example/", false},
		{"https://api.example", "http://api.example:443/", false},
		{"https://api.example", "https://api.example:8443/", false},
		{"https://api.example", "https://api.example./", false},
		{"https://api.example", "https://www.api.example/", false},
		{"https://api.example", "https://example/", false},
		{"https://api.example", "https://api.example.evil.example/", false},
		{"https://api.example", "https://api.example@evil.example/", false},
		{"https://api.example", "https://evil.example/https://api.example/", false},
		{"http://127.0.0.1:5001", "http://localhost:5001/", false},
		{"http://127.0.0.1:5001", "https://127.0.0.1:5001/", false},
	} {
		t.Run(row.origin+" to "+row.target, func(t *testing.T) {
			w := newWorld()
			rt := w.transport(t, func(c *authclient.Config) { c.Origins = []string{row.origin} })
			w.api = func(*http.Request) *http.Response { return response(401, "", "WWW-Authenticate", invalidToken) }
			_, err := do(t.Context(), rt, http.MethodGet, row.target, nil)
			require.NoError(t, err)
			if row.want {
				assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
			} else {
				assert.Equal(t, []string{""}, w.sent())
				assert.Zero(t, w.refreshed(), "a 401 to a request without our token causes no refresh")
			}
		})
	}
}

// If the authorization server is the API as well, its token endpoint still gets no access token.
func TestTokenEndpointGetsNoAccessToken(t *testing.T) {
	for _, target := range []string{"/token", "/token/", "//token", "/x/../token", "/%74oken", "/token?x=y"} {
		w := newWorld()
		rt := w.transport(t, func(c *authclient.Config) { c.Origins = []string{"https://issuer.example"} })
		var seen http.Header
		w.refresh = answers(func(r *http.Request) (*http.Response, error) {
			return response(400, ""), nil
		})
		w.api = func(r *http.Request) *http.Response { seen = r.Header; return nil }
		_, err := do(t.Context(), rt, http.MethodPost, "https://issuer.example"+target, nil)
		require.NoError(t, err)
		if target == "/token" {
			seen = w.headers[0]
		}
		assert.Empty(t, seen.Get("Authorization"), target)
	}
	w := newWorld()
	rt := w.transport(t, func(c *authclient.Config) { c.Origins = []string{"https://issuer.example"} })
	status, err := do(t.Context(), rt, http.MethodGet, "https://issuer.example/userinfo", nil)
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.Equal(t, []string{"at-1"}, w.sent())
}

func TestAuthorizationOfCallerIsKept(t *testing.T) {
	for _, name := range []string{"Authorization", "authorization"} {
		for _, value := range []string{"Basic YWxpY2U6YWxpY2U=", ""} {
			w := newWorld()
			rt := w.transport(t)
			var seen http.Header
			w.api = func(r *http.Request) *http.Response {
				seen = r.Header.Clone()
				return response(401, "", "WWW-Authenticate", invalidToken)
			}
			req, err := http.NewRequest(http.MethodGet, apiURL, nil)
			require.NoError(t, err)
			req.Header[name] = []string{value}
			resp, err := rt.RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, 401, resp.StatusCode)
			assert.Equal(t, http.Header{name: {value}}, seen)
			assert.Zero(t, w.refreshed())
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, row := range []struct {
		name string
		hops []string // each answers with a redirect to the next
		sent []string
		want int // refreshes
	}{
		{"within the origin", []string{apiURL + "/1", apiURL + "/2", apiURL + "/3"}, []string{"at-1", "at-1", "at-1"}, 0},
		{"to another host", []string{apiURL + "/1", "https://evil.example/2"}, []string{"at-1", ""}, 0},
		{"to another port", []string{apiURL + "/1", "https://api.example:8443/2"}, []string{"at-1", ""}, 0},
		{"to http", []string{apiURL + "/1", "http://api.example/2"}, []string{"at-1", ""}, 0},
		{"to a subdomain", []string{apiURL + "/1", "https://www.api.example/2"}, []string{"at-1", ""}, 0},
		{"to another named origin", []string{apiURL + "/1", "https://other.example/2"}, []string{"at-1", ""}, 0},
		{"from outside to a named origin", []string{"https://evil.example/1", apiURL + "/2"}, []string{"", ""}, 0},
		{"out, back in, and on within the origin", []string{apiURL + "/1", "https://evil.example/2", apiURL + "/3", apiURL + "/4"}, []string{"at-1", "", "", ""}, 0},
	} {
		for name, send := range map[string]func(*authclient.Transport, *http.Request) (*http.Response, error){
			"http.Client": func(rt *authclient.Transport, r *http.Request) (*http.Response, error) {
				return (&http.Client{Transport: rt}).Do(r)
			},
			"Do": (*authclient.Transport).Do,
		} {
			t.Run(row.name+", "+name, func(t *testing.T) {
				w := newWorld()
				w.api = func(r *http.Request) *http.Response {
					for i, hop := range row.hops[:len(row.hops)-1] {
						if r.URL.String() == hop {
							return response(307, "", "Location", row.hops[i+1])
						}
					}
					return response(200, "")
				}
				rt := w.transport(t, func(c *authclient.Config) { c.Origins = []string{apiURL, "https://other.example"} })
				req, err := http.NewRequest(http.MethodPost, row.hops[0], strings.NewReader("{}"))
				require.NoError(t, err)
				resp, err := send(rt, req)
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
				assert.Equal(t, row.sent, w.sent())
				assert.Equal(t, row.want, w.refreshed())
			})
		}
	}
}

// The target of a redirect cannot cause a refresh, and does not get the token of another origin's refresh.
func Test401AfterRedirect(t *testing.T) {
	w := newWorld()
	w.api = func(r *http.Request) *http.Response {
		if r.URL.Host == "api.example" && r.Header.Get("Authorization") == "Bearer at-2" {
			return response(302, "", "Location", "https://evil.example/")
		}
		return response(401, "", "WWW-Authenticate", invalidToken)
	}
	rt := w.transport(t)
	resp, err := (&http.Client{Transport: rt}).Get(apiURL)
	require.NoError(t, err)
	assert.Equal(t, 401, resp.StatusCode)
	assert.Equal(t, []string{"at-1", "at-2", ""}, w.sent())
	assert.Equal(t, 1, w.refreshed())
	assert.Empty(t, resp.Request.Header.Get("Authorization"))
}

// Each step is a 401 ("-"), a 401 in answer to a retry ("--"), an accepted request ("+") or a refresh (">"), by the
// origin named after it. A 401 at the end may cause a refresh, or not.
func TestOpinionOfOrigin(t *testing.T) {
	for _, row := range []struct {
		name  string
		steps string
		want  bool
	}{
		{"first 401", "-a", true},
		{"401 again, no refresh between", "-a -a", true},
		{"401 after it was accepted", "+a -a", true},

		{"401 of the token that was fetched for the origin", "-a >a -a", false},
		{"the same, after the retry was rejected", "-a >a --a -a", false},
		{"the same, although the retry was accepted later", "-a >a --a +a -a", false},
		{"401 later of a token that was accepted", "-a >a +a -a", true},
		{"accepted only after a 401 was ignored", "-a >a -a +a -a", false},

		{"a retry with a token that was there before", "--a -a", true},
		{"a token that was fetched for another origin", "-a >b -a", true},
		{"another origin that rejects the same token", "-a >a -a -b", true},
		{"two origins, one refresh for each", "-a >a -a >b -a", false},
		{"the token after that", "-a >a -a >b -b >b -a", false},
		{"an origin that had accepted the token before", "-a >a +a >b -a", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			token, got := authclient.NewOpinions(), false
			for step := range strings.FieldsSeq(row.steps) {
				origin := step[len(step)-1:]
				switch step[:len(step)-1] {
				case "-":
					got = token.Rejected(origin)
				case "--":
					token.RetryRejected(origin)
				case "+":
					token.Accepted(origin)
				case ">":
					token = token.Next(origin)
				}
			}
			assert.Equal(t, row.want, got)
		})
	}
}
