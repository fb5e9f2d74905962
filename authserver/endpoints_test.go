package authserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// introspect asks as the resource server api1.
func (w *world) introspect(token string) reply {
	return w.do(as(formRequest("/introspect", "token", token), "worker", "worker secret"))
}

func TestIntrospection(t *testing.T) {
	w := newWorld(t)
	r := w.signIn()
	access, refresh := r.str("access_token"), r.str("refresh_token")

	out := w.introspect(access)
	require.Equal(t, http.StatusOK, out.status, out.body)
	assert.Equal(t, true, out.json["active"], "the resource server of api1")
	assert.Equal(t, "alice-1", out.json["sub"])
	assert.Equal(t, mvcID, out.json["client_id"])
	assert.Equal(t, "Bearer", out.json["token_type"])
	assert.Equal(t, "no-store", out.header.Get("Cache-Control"))

	inactive := map[string]any{"active": false}
	own := w.mvc("/introspect", "token", refresh, "token_type_hint", "access_token")
	assert.Equal(t, true, own.json["active"], "its own refresh token; the hint is only a hint")
	assert.Equal(t, allScope, own.json["scope"])
	assert.Equal(t, inactive, w.introspect(refresh).json, "another client's refresh token")
	assert.Equal(t, inactive, w.introspect("garbage").json)
	assert.Equal(t, inactive, w.introspect(r.str("id_token")).json)
	identity := w.signIn("scope", "openid").str("access_token")
	assert.Equal(t, inactive, w.introspect(identity).json, "not a token for api1")

	w.advance(5*time.Minute + time.Second)
	assert.Equal(t, inactive, w.introspect(access).json, "expired")

	next := w.refresh(refresh)
	assert.Equal(t, true, w.introspect(next.str("access_token")).json["active"])
	w.advance(time.Minute)
	assert.Equal(t, inactive, w.mvc("/introspect", "token", refresh).json, "superseded, past the grace; and asking ends nothing")
	assert.Equal(t, true, w.mvc("/introspect", "token", next.str("refresh_token")).json["active"])
	require.Equal(t, http.StatusOK, w.mvc("/revoke", "token", next.str("refresh_token")).status)
	assert.Equal(t, inactive, w.introspect(next.str("access_token")).json, "revoked with its grant")
	assert.Equal(t, inactive, w.mvc("/introspect", "token", next.str("refresh_token")).json)
}

func TestIntrospectionNeedsAConfidentialClient(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("access_token")
	w.refused(w.form("/introspect", "token", token), "invalid_client")
	w.refused(w.form("/introspect", "token", token, "client_id", "spa"), "invalid_client")
	w.refused(w.do(as(formRequest("/introspect", "token", token), "worker", "x")), "invalid_client")
	w.refused(w.mvc("/introspect"), "invalid_request")
	assert.Equal(t, http.StatusMethodNotAllowed, w.do(httptest.NewRequest("GET", issuer+"/introspect?x="+token, nil)).status)
}

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	r := w.signIn()
	for name, token := range map[string]string{"unknown": "rt1_" + r.str("access_token"), "garbage": "x", "an ID token": r.str("id_token")} {
		out := w.mvc("/revoke", "token", token)
		assert.Equal(t, http.StatusOK, out.status, name)
		assert.Empty(t, out.body)
		assert.Equal(t, "no-store", out.header.Get("Cache-Control"))
	}
	assert.Equal(t, http.StatusOK, w.form("/revoke", "token", r.str("refresh_token"), "client_id", "spa").status, "another client: 200, and nothing")
	assert.Equal(t, http.StatusOK, w.form("/revoke", "token", r.str("access_token"), "client_id", "spa").status)
	again := w.refresh(r.str("refresh_token"))
	require.Equal(t, http.StatusOK, again.status)
	w.refused(w.form("/revoke", "token", "x"), "invalid_client")
	w.refused(w.mvc("/revoke"), "invalid_request")
	assert.Equal(t, http.StatusOK, w.mvc("/revoke", "token", again.str("access_token")).status, "by the access token of the grant")
	w.refused(w.refresh(again.str("refresh_token")), "invalid_grant")
}

func TestRevocationWhenTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().str("refresh_token")
	w.store.Store = brokenStore{w.store.Store}
	w.refused(w.mvc("/revoke", "token", token), "temporarily_unavailable")
	w.refused(w.mvc("/introspect", "token", token), "temporarily_unavailable")
	w.refused(w.refresh(token), "temporarily_unavailable")
}

func TestUserInfo(t *testing.T) {
	w := newWorld(t)
	call := func(token string) reply {
		r := httptest.NewRequest("GET", issuer+"/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return w.do(r)
	}
	r := w.signIn()
	out := call(r.str("access_token"))
	require.Equal(t, http.StatusOK, out.status, out.body)
	assert.Equal(t, map[string]any{"sub": "alice-1", "name": "Alice Smith", "email": "alice@example.com", "phone_number": "+1 555 0100",
		"address": map[string]any{"locality": "Wonderland"}}, out.json)
	assert.Equal(t, "no-store", out.header.Get("Cache-Control"))

	assert.Equal(t, map[string]any{"sub": "alice-1"}, call(w.signIn("scope", "openid").str("access_token")).json)
	byForm := w.do(formRequest("/userinfo", "access_token", r.str("access_token")))
	assert.Equal(t, "alice-1", byForm.json["sub"])

	out = call(w.signIn("scope", "api1").str("access_token"))
	assert.Equal(t, http.StatusForbidden, out.status)
	assert.Contains(t, out.header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	out = call("garbage")
	assert.Equal(t, http.StatusUnauthorized, out.status)
	assert.Contains(t, out.header.Get("WWW-Authenticate"), `Bearer `)
	assert.Equal(t, http.StatusUnauthorized, call(r.str("id_token")).status)

	require.Equal(t, http.StatusOK, w.mvc("/revoke", "token", r.str("refresh_token")).status)
	assert.Equal(t, http.StatusUnauthorized, call(r.str("access_token")).status, "the grant has ended")

	r = w.signIn()
	w.advance(5 * time.Minute)
	assert.Equal(t, http.StatusUnauthorized, call(r.str("access_token")).status, "at exp, to the second: it is the same clock")
	again := w.refresh(r.str("refresh_token")).str("access_token")
	w.users.Remove("alice-1")
	assert.Equal(t, http.StatusUnauthorized, call(again).status, "the user is gone")
}

func TestLogout(t *testing.T) {
	back := "http://127.0.0.1:5002/"
	type signedIn struct {
		*world
		b      *browser
		tokens reply
	}
	open := func(t *testing.T) signedIn {
		w := newWorld(t)
		b := w.browser()
		a := w.answer(b.submit(b.get(authorizeURL()), "username", "alice", "password", "alice"))
		tokens := w.exchange(a.Get("code"))
		require.Equal(t, http.StatusOK, tokens.status)
		return signedIn{w, b, tokens}
	}
	target := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return issuer + "/end_session?" + v.Encode()
	}
	signedOut := func(t *testing.T, s signedIn) {
		assert.Equal(t, http.StatusOK, s.b.get(authorizeURL()).status, "the form is there again")
		s.refused(s.refresh(s.tokens.str("refresh_token")), "invalid_grant")
		assert.Equal(t, "logout", s.row(s.tokens.str("refresh_token")).RevokeReason)
	}
	t.Run("with the ID token of the login", func(t *testing.T) {
		s := open(t)
		s.advance(time.Hour) // an expired ID token still says which login it was
		r := s.b.do(httptest.NewRequest("GET", target("id_token_hint", s.tokens.str("id_token"), "post_logout_redirect_uri", back, "state", "s"), nil))
		assert.Equal(t, http.StatusSeeOther, r.status)
		assert.Equal(t, back+"?state=s", r.header.Get("Location"))
		signedOut(t, s)
	})
	t.Run("without it the user is asked", func(t *testing.T) {
		s := open(t)
		page := s.b.get(target("client_id", mvcID, "post_logout_redirect_uri", back))
		require.Equal(t, http.StatusOK, page.status)
		assert.Equal(t, http.StatusSeeOther, s.b.get(authorizeURL()).status, "still signed in")
		r := s.b.submit(page)
		assert.Equal(t, back, r.header.Get("Location"))
		signedOut(t, s)
	})
	t.Run("a form of another site signs nobody out", func(t *testing.T) {
		s := open(t)
		s.b.do(formRequest("/end_session", "csrf", "x", "return", ""))
		assert.Equal(t, http.StatusSeeOther, s.b.get(authorizeURL()).status)
	})
	t.Run("an address that is not registered", func(t *testing.T) {
		s := open(t)
		for _, uri := range []string{"https://evil.example/", back + "x"} {
			r := s.b.get(target("id_token_hint", s.tokens.str("id_token"), "post_logout_redirect_uri", uri))
			assert.Equal(t, http.StatusBadRequest, r.status)
			assert.Empty(t, r.header.Get("Location"))
		}
		assert.Equal(t, http.StatusBadRequest, s.b.get(target("post_logout_redirect_uri", back)).status, "nobody says whose it is")
	})
	t.Run("an access token is no hint", func(t *testing.T) {
		s := open(t)
		assert.Equal(t, http.StatusOK, s.b.get(target("id_token_hint", s.tokens.str("access_token"))).status)
		assert.Equal(t, http.StatusSeeOther, s.b.get(authorizeURL()).status, "still signed in")
	})
	t.Run("two different clients", func(t *testing.T) {
		s := open(t)
		assert.Equal(t, http.StatusBadRequest, s.b.get(target("id_token_hint", s.tokens.str("id_token"), "client_id", "spa")).status)
	})
	t.Run("nobody is signed in", func(t *testing.T) {
		w := newWorld(t)
		assert.Equal(t, http.StatusOK, w.browser().get(issuer+"/end_session").status)
	})
}

func TestCORS(t *testing.T) {
	const own, evil = "http://127.0.0.1:5003", "https://evil.example"
	w := newWorld(t)
	preflight := func(path, origin string) reply {
		r := httptest.NewRequest("OPTIONS", issuer+path, nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization, content-type")
		return w.do(r)
	}
	for _, path := range []string{"/token", "/revoke", "/userinfo", "/auth/refreshtoken"} {
		r := preflight(path, own)
		assert.Equal(t, http.StatusNoContent, r.status)
		assert.Equal(t, own, r.header.Get("Access-Control-Allow-Origin"), path)
		assert.Contains(t, r.header.Get("Access-Control-Allow-Headers"), "Authorization")
		assert.Empty(t, r.header.Get("Access-Control-Allow-Credentials"), path)
		assert.Contains(t, r.header.Values("Vary"), "Origin")
		assert.Empty(t, preflight(path, evil).header.Get("Access-Control-Allow-Origin"), path)
	}
	send := func(origin string, r *http.Request) string {
		r.Header.Set("Origin", origin)
		return w.do(r).header.Get("Access-Control-Allow-Origin")
	}
	spa := func() *http.Request {
		return formRequest("/token", "grant_type", "refresh_token", "refresh_token", "x", "client_id", "spa")
	}
	assert.Equal(t, own, send(own, spa()), "errors too, so that the application can read them")
	assert.Empty(t, send(evil, spa()))
	assert.Empty(t, send(own, as(formRequest("/token", "grant_type", "client_credentials"), "worker", "worker secret")),
		"the origin of another client")
	assert.Empty(t, send(own, formRequest("/introspect", "token", "x", "client_id", "spa")), "introspection is not for browsers")
}

func TestIssueTokens(t *testing.T) {
	w := newWorld(t)
	old := w.signIn().str("refresh_token")
	w.kinds()
	tokens, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: mvcID, Subject: "alice-1", EndOthers: true})
	require.NoError(t, err)
	assert.Equal(t, []string{"token.issued", "grant.revoked"}, w.kinds())
	assert.NotContains(t, tokens.String(), tokens.RefreshToken)
	w.refused(w.refresh(old), "invalid_grant")
	_, id := claims(t, tokens.IDToken)
	assert.Equal(t, "alice-1", id["sub"])
	r := w.refresh(tokens.RefreshToken)
	require.Equal(t, http.StatusOK, r.status, r.body)

	few, err := w.srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "spa", Subject: "bob-2", Scopes: []string{"api1"}})
	require.NoError(t, err)
	assert.Empty(t, few.RefreshToken)
	assert.Empty(t, few.IDToken)
	assert.Equal(t, "api1", few.Scope)

	for name, req := range map[string]authserver.IssueRequest{
		"unknown client": {ClientID: "nobody", Subject: "bob-2"},
		"unknown user":   {ClientID: "spa", Subject: "nobody"},
	} {
		_, err := w.srv.IssueTokens(t.Context(), req)
		assert.ErrorIs(t, err, authserver.ErrNotFound, name)
	}
	for name, req := range map[string]authserver.IssueRequest{
		"scope beyond the client": {ClientID: "spa", Subject: "bob-2", Scopes: []string{"admin"}},
		"no subject":              {ClientID: "spa"},
	} {
		_, err := w.srv.IssueTokens(t.Context(), req)
		assert.ErrorIs(t, err, authserver.ErrAccessDenied, name)
	}
}

func TestIssueTokensWhenTheApplicationRefuses(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.cfg.BeforeIssue = func(context.Context, *authserver.Issuance) error { return w.refuseIssue }
	})
	req := authserver.IssueRequest{ClientID: "spa", Subject: "bob-2", EndOthers: true}
	old, err := w.srv.IssueTokens(t.Context(), req)
	require.NoError(t, err)
	for _, refuse := range []error{authserver.ErrAccessDenied, errBroken} {
		w.refuseIssue = refuse
		_, err := w.srv.IssueTokens(t.Context(), req)
		assert.ErrorIs(t, err, refuse)
	}
	assert.True(t, w.row(old.RefreshToken).RevokedAt.IsZero(), "the others are ended only once the new one is there")
}

func TestUserInfoByOtherMethods(t *testing.T) {
	r := newWorld(t).do(httptest.NewRequest("DELETE", issuer+"/userinfo", nil))
	assert.Equal(t, http.StatusMethodNotAllowed, r.status)
	assert.Equal(t, "GET, POST", r.header.Get("Allow"))
}

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
