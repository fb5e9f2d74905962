package authserver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func TestTokenEndpointRequests(t *testing.T) {
	const body = "grant_type=client_credentials&client_id=worker&client_secret=worker+secret"
	for _, row := range []struct {
		name   string
		mod    func(*http.Request)
		body   string
		status int
		want   string // "" for a success
	}{
		{"a good request", nil, body, 200, ""},
		{"charset after the content type", func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		}, body, 200, ""},
		{"unknown parameters are ignored", nil, body + "&foo=bar", 200, ""},
		{"a parameter without value is not there", nil, body + "&scope=", 200, ""},
		{"an unknown parameter in the query is ignored", func(r *http.Request) { r.URL.RawQuery = "tenant=1" }, body, 200, ""},
		{"GET", func(r *http.Request) { r.Method = "GET" }, body, 405, "invalid_request"},
		{"PUT", func(r *http.Request) { r.Method = "PUT" }, body, 405, "invalid_request"},
		{"no content type", func(r *http.Request) { r.Header.Del("Content-Type") }, body, 400, "invalid_request"},
		{"JSON", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, "{}", 400, "invalid_request"},
		{"multipart", func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }, body, 400, "invalid_request"},
		{"compressed", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, body, 400, "invalid_request"},
		{"64 KiB", nil, body + "&x=" + strings.Repeat("a", 64<<10-len(body)-3), 200, ""},
		{"more than 64 KiB", nil, body + "&x=" + strings.Repeat("a", 64<<10-len(body)-2), 400, "invalid_request"},
		{"twice a parameter", nil, body + "&grant_type=client_credentials", 400, "invalid_request"},
		{"twice an unknown parameter", nil, body + "&foo=1&foo=2", 400, "invalid_request"},
		{"a bad escape", nil, body + "&scope=%zz", 400, "invalid_request"},
		{"a semicolon", nil, body + ";scope=api1", 400, "invalid_request"},
		{"not UTF-8", nil, body + "&scope=%ff", 400, "invalid_request"},
		{"secret in the query", func(r *http.Request) { r.URL.RawQuery = "client_secret=worker+secret" },
			"grant_type=client_credentials&client_id=worker", 400, "invalid_request"},
		{"grant type in the query", func(r *http.Request) { r.URL.RawQuery = "grant_type=client_credentials" }, body, 400, "invalid_request"},
		{"a malformed query", func(r *http.Request) { r.URL.RawQuery = "client_secret=%zz" }, body, 400, "invalid_request"},
		{"no grant type", nil, "client_id=worker&client_secret=worker+secret", 400, "invalid_request"},
		{"unknown grant type", nil, "grant_type=password&client_id=worker&client_secret=worker+secret", 400, "unsupported_grant_type"},
		{"a grant that the client may not use", nil, "grant_type=refresh_token&refresh_token=x&client_id=worker&client_secret=worker+secret",
			400, "unauthorized_client"},
		{"nothing at all", nil, "", 401, "invalid_client"},
		{"who it is comes before what it wants", nil, "grant_type=nonsense&client_id=worker&client_secret=x", 401, "invalid_client"},
		{"no code", nil, "grant_type=authorization_code&client_id=spa", 400, "invalid_request"},
		{"no refresh token", nil, "grant_type=refresh_token&client_id=spa", 400, "invalid_request"},
		{"an empty refresh token", nil, "grant_type=refresh_token&refresh_token=&client_id=spa", 400, "invalid_request"},
		{"an invalid refresh token", nil, "grant_type=refresh_token&refresh_token=4d3f3061e8e049689a586d8dfcba0d08&client_id=spa", 400, "invalid_grant"},
		{"scope that is not the client's", nil, body + "&scope=files:read", 400, "invalid_scope"},
		{"identity scope for a machine", nil, body + "&scope=openid", 400, "invalid_scope"},
		{"resource", nil, body + "&resource=api1", 200, ""},
		{"unknown resource", nil, body + "&resource=https://x.example", 400, "invalid_target"},
		{"one known and one unknown resource", nil, body + "&resource=api1&resource=https://x.example", 400, "invalid_target"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			r := httptest.NewRequest("POST", issuer+"/token", strings.NewReader(row.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if row.mod != nil {
				row.mod(r)
			}
			out := w.do(r)
			assert.Equal(t, row.status, out.status, out.body)
			assert.Equal(t, row.want, out.str("error"), out.body)
			assert.Equal(t, "application/json;charset=UTF-8", out.header.Get("Content-Type"))
			assert.Equal(t, "no-store", out.header.Get("Cache-Control"))
			assert.Equal(t, "no-cache", out.header.Get("Pragma"))
			assert.Equal(t, row.status == 401, out.header.Get("WWW-Authenticate") != "")
			assert.Equal(t, row.status == 405, out.header.Get("Allow") == "POST")
		})
	}
}

func TestCodeExchangeRefusals(t *testing.T) {
	for _, row := range []struct {
		name  string
		auth  []string // of the authorization request
		token []string // of the token request, on top of a good one
	}{
		{"another redirect URI", nil, []string{"redirect_uri", "http://localhost:5002/signin-oidc"}},
		{"no redirect URI", nil, []string{"redirect_uri", ""}},
		{"no verifier", nil, []string{"code_verifier", ""}},
		{"another verifier", nil, []string{"code_verifier", strings.Repeat("v", 43)}},
		{"a verifier that is too short", nil, []string{"code_verifier", verifier[:42]}},
		{"the challenge as verifier", nil, []string{"code_verifier", challenge()}},
		{"a verifier though there was no challenge", []string{"code_challenge", "", "code_challenge_method", ""}, nil},
		{"a made-up code", nil, []string{"code", "ac1_" + strings.Repeat("A", 72)}},
		{"a refresh token as code", nil, []string{"code", "rt1_" + strings.Repeat("A", 72)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			code := w.code(row.auth...)
			good := map[string]string{"grant_type": "authorization_code", "code": code, "redirect_uri": mvcBack, "code_verifier": verifier}
			send := func() reply {
				var pairs []string
				for k, v := range good {
					if v != "" {
						pairs = append(pairs, k, v)
					}
				}
				return w.mvc("/token", pairs...)
			}
			for i := 0; i+1 < len(row.token); i += 2 {
				good[row.token[i]] = row.token[i+1]
			}
			w.refused(send(), "invalid_grant")
			if row.auth == nil { // nothing is spent: the right request still works
				good["code"], good["redirect_uri"], good["code_verifier"] = code, mvcBack, verifier
				assert.Equal(t, http.StatusOK, send().status)
			}
		})
	}
}

func TestCodeWithoutPKCE(t *testing.T) {
	w := newWorld(t)
	code := w.code("code_challenge", "", "code_challenge_method", "")
	r := w.mvc("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", mvcBack)
	assert.Equal(t, http.StatusOK, r.status, r.body)
}

func TestCodesExpire(t *testing.T) {
	w := newWorld(t)
	code, late := w.code(), w.code()
	w.advance(time.Minute - time.Millisecond)
	assert.Equal(t, http.StatusOK, w.exchange(code).status)
	w.advance(time.Millisecond)
	w.refused(w.exchange(late), "invalid_grant")
}

func TestCodesAndRefreshTokensAreNotInterchangeable(t *testing.T) {
	w := newWorld(t)
	r := w.signIn()
	w.refused(w.mvc("/token", "grant_type", "authorization_code", "code", "ac1_"+r.str("refresh_token")[4:], "redirect_uri", mvcBack), "invalid_grant")
	code := w.code()
	w.refused(w.refresh("rt1_"+code[4:]), "invalid_grant")
	assert.Equal(t, http.StatusOK, w.exchange(code).status)
}

func TestNoRefreshTokenWithoutOfflineAccess(t *testing.T) {
	w := newWorld(t)
	r := w.signIn("scope", "api1 openid")
	assert.NotContains(t, r.json, "refresh_token")
	assert.NotEmpty(t, r.str("id_token"))
	r = w.signIn("scope", "api1 offline_access")
	assert.NotEmpty(t, r.str("refresh_token"))
	assert.NotContains(t, r.json, "id_token", "no openid, no ID token")
}

func TestResourceIndicators(t *testing.T) {
	w := newWorld(t)
	scope := allScope + " files:read"
	both := w.signIn("scope", scope)
	_, access := claims(t, both.str("access_token"))
	assert.Equal(t, []any{"api1", "https://files.example"}, access["aud"], "every resource that the scopes belong to")

	one := w.refresh(both.str("refresh_token"), "resource", "https://files.example")
	_, access = claims(t, one.str("access_token"))
	assert.Equal(t, "https://files.example", access["aud"])
	assert.Equal(t, "files:read", access["scope"], "an API gets the scopes that are its own")
	assert.Equal(t, "files:read", one.str("scope"))

	again := w.refresh(one.str("refresh_token"))
	assert.Equal(t, scope, again.str("scope"), "narrowing is for one access token")

	limited := w.signIn("scope", scope, "resource", "api1")
	_, access = claims(t, limited.str("access_token"))
	assert.Equal(t, "api1", access["aud"])
	w.refused(w.refresh(limited.str("refresh_token"), "resource", "https://files.example"), "invalid_target")

	identity := w.signIn("scope", "openid offline_access")
	_, access = claims(t, identity.str("access_token"))
	assert.Equal(t, issuer+"/userinfo", access["aud"])
	w.refused(w.refresh(identity.str("refresh_token"), "resource", "api1"), "invalid_target")
}

func TestBeforeIssueAddsClaimsAndMembers(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.cfg.BeforeIssue = hook(func(i *authserver.Issuance) {
			i.AccessClaims["roles"] = []string{"admin"}
			i.IDClaims["locale"] = "de"
			i.Response["userid"] = `a"b` + "\u2028✓"
		})
	})
	r := w.signIn()
	_, access := claims(t, r.str("access_token"))
	assert.Equal(t, []any{"admin"}, access["roles"])
	_, id := claims(t, r.str("id_token"))
	assert.Equal(t, "de", id["locale"])
	assert.Equal(t, `a"b`+"\u2028✓", r.json["userid"])

	for _, bad := range []func(*authserver.Issuance){
		func(i *authserver.Issuance) { i.AccessClaims["sub"] = "root" },
		func(i *authserver.Issuance) { i.IDClaims["nonce"] = "x" },
		func(i *authserver.Issuance) { i.Response["access_token"] = "x" },
		func(i *authserver.Issuance) { i.AccessClaims["Sub"] = "root" }, // sub, for a reader that does not care for case
		func(i *authserver.Issuance) { i.AccessClaims["\u017fcope"] = "admin" },
		func(i *authserver.Issuance) { i.IDClaims["EXP"] = 1e10 },
		func(i *authserver.Issuance) { i.Response["Access_Token"] = "x" },
	} {
		w := newWorld(t, func(w *world) { w.cfg.BeforeIssue = hook(bad) })
		assert.Equal(t, http.StatusInternalServerError, w.exchange(w.code()).status, "the server's own names can't be taken")
	}
}

// A client that has lost all scopes of a resource gets no token for it, even if its grant names the resource.
func TestResourceWithoutAScope(t *testing.T) {
	w := newWorld(t)
	both := w.signIn("scope", "openid offline_access api1 files:read", "resource", "api1", "resource", "https://files.example")
	one := w.signIn("scope", "openid offline_access api1", "resource", "api1")
	unused := w.code("scope", "openid offline_access api1", "resource", "api1")
	c := w.client(mvcID)
	c.Scopes = []string{"openid", "offline_access", "files:read"}
	srv, err := authserver.New(w.cfg)
	require.NoError(t, err)
	w.srv = srv
	left := w.refresh(both.str("refresh_token"))
	require.Equal(t, http.StatusOK, left.status, left.body)
	_, access := claims(t, left.str("access_token"))
	assert.Equal(t, "https://files.example", access["aud"])
	assert.Equal(t, "files:read", access["scope"])
	w.refused(w.refresh(one.str("refresh_token")), "invalid_target")
	w.refused(w.exchange(unused), "invalid_target")
}
