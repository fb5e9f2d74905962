package authclient_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

func TestRefreshRequest(t *testing.T) {
	for _, row := range []struct {
		name          string
		id, secret    string
		style         oauth2.AuthStyle
		scopes        []string
		authorization string
		form          url.Values
	}{
		{"Basic, with spaces", "mvc client", "mvc secret", oauth2.AuthStyleInHeader, nil,
			"Basic bXZjK2NsaWVudDptdmMrc2VjcmV0", // mvc+client:mvc+secret
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-1"}}},
		{"Basic, with colons and more", "a:b", "p@ss:w&rd%é", oauth2.AuthStyleInHeader, nil,
			"Basic YSUzQWI6cCU0MHNzJTNBdyUyNnJkJTI1JUMzJUE5", // a%3Ab:p%40ss%3Aw%26rd%25%C3%A9
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-1"}}},
		{"parameters", "mvc client", "mvc secret", oauth2.AuthStyleInParams, nil, "",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-1"}, "client_id": {"mvc client"}, "client_secret": {"mvc secret"}}},
		{"public client", "spa", "", oauth2.AuthStyleInParams, nil, "",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-1"}, "client_id": {"spa"}}},
		{"narrower scope", "spa", "", oauth2.AuthStyleInParams, []string{"api1", "openid"}, "",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-1"}, "client_id": {"spa"}, "scope": {"api1 openid"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld()
			rt := w.transport(t, func(c *authclient.Config) {
				c.OAuth2.ClientID, c.OAuth2.ClientSecret, c.OAuth2.Endpoint.AuthStyle = row.id, row.secret, row.style
				c.RefreshScopes = row.scopes
			})
			_, err := rt.Refresh(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, w.refreshed(), "no probing")
			assert.Equal(t, row.form, w.forms[0])
			assert.Equal(t, row.authorization, w.headers[0].Get("Authorization"))
			assert.Equal(t, "application/x-www-form-urlencoded", w.headers[0].Get("Content-Type"))
		})
	}
}

func TestRefreshUsesTokenTransport(t *testing.T) {
	w, issuer := newWorld(), newWorld()
	rt := w.transport(t, func(c *authclient.Config) { c.TokenTransport = issuer })
	_, err := rt.Refresh(t.Context())
	require.NoError(t, err)
	assert.Zero(t, w.refreshed())
	assert.Equal(t, 1, issuer.refreshed())
}

var (
	sent   = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	before = (&oauth2.Token{AccessToken: "at-1", TokenType: "Bearer", RefreshToken: "rt-1"}).
		WithExtra(map[string]any{"scope": "openid api1", "id_token": idToken(`{"iss":"i","sub":"alice","aud":"c"}`)})
)

var answerRows = []struct {
	name   string
	answer string
	want   oauth2.Token // zero: rejected
}{
	{"all members", `{"access_token":"at-2","token_type":"Bearer","expires_in":60,"refresh_token":"rt-2","scope":"openid"}`,
		oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-2", Expiry: sent.Add(time.Minute), ExpiresIn: 60}},
	{"only the required members", `{"access_token":"at-2","token_type":"Bearer"}`,
		oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"no token_type: it stays", `{"access_token":"at-2"}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"token_type in another case", `{"access_token":"at-2","token_type":"bEARER"}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"DPoP", `{"access_token":"at-2","token_type":"dpop"}`, oauth2.Token{AccessToken: "at-2", TokenType: "DPoP", RefreshToken: "rt-1"}},
	{"expires_in as a string", `{"access_token":"at-2","expires_in":"60"}`,
		oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1", Expiry: sent.Add(time.Minute), ExpiresIn: 60}},
	{"expires_in as a fraction", `{"access_token":"at-2","expires_in":59.9}`,
		oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1", Expiry: sent.Add(59 * time.Second), ExpiresIn: 59}},
	{"expires_in of 0 is unknown", `{"access_token":"at-2","expires_in":0}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"expires_in below 0 is unknown", `{"access_token":"at-2","expires_in":-60}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"expires_in null is unknown", `{"access_token":"at-2","expires_in":null}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"expires_in in words is unknown", `{"access_token":"at-2","expires_in":"soon"}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"huge expires_in", `{"access_token":"at-2","expires_in":1e300}`,
		oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1", Expiry: sent.Add(math.MaxInt32 * time.Second), ExpiresIn: math.MaxInt32}},
	{"empty refresh_token: it stays", `{"access_token":"at-2","refresh_token":""}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"unknown members", `{"access_token":"at-2","example_parameter":{"x":[1]}}`, oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"a long token", `{"access_token":"` + strings.Repeat("a", 8<<10) + `"}`, oauth2.Token{AccessToken: strings.Repeat("a", 8<<10), TokenType: "Bearer", RefreshToken: "rt-1"}},
	{"an id_token of the same login", `{"access_token":"at-2","id_token":"` + idToken(`{"iss":"i","sub":"alice","aud":["c"]}`) + `"}`,
		oauth2.Token{AccessToken: "at-2", TokenType: "Bearer", RefreshToken: "rt-1"}},

	{"no access_token", `{"token_type":"Bearer"}`, oauth2.Token{}},
	{"access_token in another case", `{"Access_Token":"at-2"}`, oauth2.Token{}},
	{"access_token that is not a string", `{"access_token":1}`, oauth2.Token{}},
	{"access_token with a line break", `{"access_token":"a\r\nb"}`, oauth2.Token{}},
	{"access_token with a space", `{"access_token":"a b"}`, oauth2.Token{}},
	{"refresh_token with a line break", `{"access_token":"at-2","refresh_token":"a\nb"}`, oauth2.Token{}},
	{"another token_type", `{"access_token":"at-2","token_type":"example"}`, oauth2.Token{}},
	{"an id_token of another login", `{"access_token":"at-2","id_token":"` + idToken(`{"iss":"i","sub":"bob","aud":"c"}`) + `"}`, oauth2.Token{}},
	{"not an object", `[]`, oauth2.Token{}},
	{"null", `null`, oauth2.Token{}},
	{"nothing", ``, oauth2.Token{}},
	{"truncated", `{"access_token":"at-2"`, oauth2.Token{}},
	{"two objects", `{"access_token":"at-2"}{}`, oauth2.Token{}},
}

func TestTokenResponse(t *testing.T) {
	for _, row := range answerRows {
		t.Run(row.name, func(t *testing.T) {
			got, err := authclient.TokenFromAnswer([]byte(row.answer), before, sent)
			if row.want.AccessToken == "" {
				require.Error(t, err)
				assert.Nil(t, got)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.want, *got.WithExtra(nil))
		})
	}
}

func TestMissingMembersKeepTheirValues(t *testing.T) {
	got, err := authclient.TokenFromAnswer([]byte(`{"access_token":"at-2","example_parameter":"x"}`), before, sent)
	require.NoError(t, err)
	assert.Equal(t, "openid api1", got.Extra("scope"))
	assert.Equal(t, before.Extra("id_token"), got.Extra("id_token"))
	assert.Equal(t, "x", got.Extra("example_parameter"))

	renewed := idToken(`{"iss":"i","sub":"alice","aud":"c","iat":2}`)
	got, err = authclient.TokenFromAnswer([]byte(`{"access_token":"at-2","scope":"api1","id_token":"`+renewed+`"}`), before, sent)
	require.NoError(t, err)
	assert.Equal(t, "api1", got.Extra("scope"))
	assert.Equal(t, renewed, got.Extra("id_token"))
}

// FuzzTokenResponse checks that no answer causes a panic, a token that a request cannot carry, or an expiry before the
// request.
func FuzzTokenResponse(f *testing.F) {
	for _, row := range answerRows {
		f.Add([]byte(row.answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := authclient.TokenFromAnswer(answer, before, sent)
		if err != nil {
			return
		}
		require.NotEmpty(t, got.AccessToken)
		require.NotEmpty(t, got.RefreshToken)
		require.Contains(t, []string{"Bearer", "DPoP"}, got.TokenType)
		require.True(t, got.Expiry.IsZero() || got.Expiry.After(sent))
		require.False(t, strings.ContainsFunc(got.AccessToken+got.RefreshToken, func(r rune) bool { return r < ' ' || r > '~' }))
		require.True(t, json.Valid(answer))
	})
}

func TestTokenResponseTooLarge(t *testing.T) {
	w := newWorld()
	w.refresh = answers(answer(200, `{"access_token":"at-2","x":"`+strings.Repeat("x", 1<<20)+`"}`))
	_, err := w.transport(t).Refresh(t.Context())
	require.ErrorIs(t, err, authclient.ErrRefreshFailed)
	assert.ErrorContains(t, err, "larger than 1048576 bytes")
}

// A truncated answer counts as lost: the refresh token is spent, and the same request returns its successor.
func TestTruncatedTokenResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(func(*http.Request) (*http.Response, error) {
			resp := w.rotate("rt-1")
			resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 10), errReader{io.ErrUnexpectedEOF}))
			return resp, nil
		})
		token, err := w.transport(t).Refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "rt-2", token.RefreshToken)
		assert.Equal(t, 2, w.refreshed())
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestLifetimeCountsFromRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(
			func(*http.Request) (*http.Response, error) {
				time.Sleep(2 * time.Second)
				return nil, errors.New("reset")
			},
			func(*http.Request) (*http.Response, error) { time.Sleep(3 * time.Second); return nil, nil })
		rt := w.transport(t)
		token, err := rt.Refresh(t.Context())
		require.NoError(t, err)
		assert.True(t, token.Expiry.Equal(w.refreshes[1].Add(time.Hour)), "counts from the attempt that was answered")
		assert.Equal(t, time.Hour-3*time.Second, time.Until(token.Expiry))
	})
}

func TestSecondAttemptIsWithinTheGrace(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		least  time.Duration
	}{
		{"no connection", noAnswer, 250 * time.Millisecond},
		{"no answer", func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, 5 * time.Second},
		{"503", answer(503, ""), 250 * time.Millisecond},
		{"429 with the longest Retry-After that allows a second attempt", answer(429, "", "Retry-After", "2"), 2 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.refresh = answers(row.answer)
				_, err := w.transport(t).Refresh(t.Context())
				require.NoError(t, err)
				require.Len(t, w.refreshes, 2)
				assert.Less(t, w.refreshes[1].Sub(w.refreshes[0]), 8*time.Second)
				assert.GreaterOrEqual(t, w.refreshes[1].Sub(w.refreshes[0]), row.least)
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{"-1", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"4294967295", "", time.Hour},
		{"99999999999999999999", "", 0},
		{"Tue, 01 Jan 2030 00:00:30 GMT", "", 30 * time.Second},
		{"Tue, 01 Jan 2030 00:00:30 GMT", "Tue, 01 Jan 2030 00:00:10 GMT", 20 * time.Second},
		{"Mon, 31 Dec 2029 23:59:59 GMT", "", 0},
		{"Tue, 01 Jan 2099 00:00:00 GMT", "", time.Hour},
	} {
		h := http.Header{}
		if row.value != "" {
			h.Set("Retry-After", row.value)
		}
		if row.date != "" {
			h.Set("Date", row.date)
		}
		assert.Equal(t, row.want, authclient.RetryAfter(h, now), row.value)
	}
}
