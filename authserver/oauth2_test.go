package authserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// oauth2Context returns a context with which x/oauth2 reaches the server in process.
func (w *world) oauth2Context() context.Context {
	return context.WithValue(w.t.Context(), oauth2.HTTPClient, &http.Client{Transport: handlerTransport{w.srv}})
}

// x/oauth2 tries out how a server's clients authenticate. A code or refresh token must survive the wrong guess.
func TestOAuth2Client(t *testing.T) {
	for _, row := range []struct {
		name       string
		id, secret string
		redirect   string
		style      oauth2.AuthStyle
	}{
		{"confidential, probing", mvcID, mvcKey, mvcBack, oauth2.AuthStyleAutoDetect},
		{"confidential, in the header", mvcID, mvcKey, mvcBack, oauth2.AuthStyleInHeader},
		{"confidential, in the body", mvcID, mvcKey, mvcBack, oauth2.AuthStyleInParams},
		{"public, probing", "spa", "", spaBack, oauth2.AuthStyleAutoDetect},
		{"public, in the body", "spa", "", spaBack, oauth2.AuthStyleInParams},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			cfg := &oauth2.Config{ClientID: row.id, ClientSecret: row.secret, RedirectURL: row.redirect,
				Scopes:   []string{"api1", "openid", "offline_access"},
				Endpoint: oauth2.Endpoint{AuthURL: issuer + "/authorize", TokenURL: issuer + "/token", AuthStyle: row.style}}
			v := oauth2.GenerateVerifier()
			b := w.browser()
			a := w.answer(b.submit(b.get(cfg.AuthCodeURL("state", oauth2.S256ChallengeOption(v))), "username", "alice", "password", "alice"))
			ctx := w.oauth2Context()
			first, err := cfg.Exchange(ctx, a.Get("code"), oauth2.VerifierOption(v))
			require.NoError(t, err)
			assert.NotEmpty(t, first.Extra("id_token"))
			first.Expiry = time.Now().Add(-time.Second)
			second, err := cfg.TokenSource(ctx, first).Token()
			require.NoError(t, err)
			assert.NotEqual(t, first.AccessToken, second.AccessToken)
			assert.NotEqual(t, first.RefreshToken, second.RefreshToken)
		})
	}
}

func TestOAuth2ClientReadsErrors(t *testing.T) {
	w := newWorld(t)
	cfg := &oauth2.Config{ClientID: mvcID, ClientSecret: mvcKey, Endpoint: oauth2.Endpoint{TokenURL: issuer + "/token"}}
	_, err := cfg.TokenSource(w.oauth2Context(), &oauth2.Token{RefreshToken: "4d3f3061e8e049689a586d8dfcba0d08"}).Token()
	var retrieve *oauth2.RetrieveError
	require.ErrorAs(t, err, &retrieve)
	assert.Equal(t, "invalid_grant", retrieve.ErrorCode)
	assert.NotEmpty(t, retrieve.ErrorDescription)
}

// While keys rotate, clients refresh and an API follows the published key set. It rejects no token.
func TestKeyRotationRejectsNoToken(t *testing.T) {
	w := newWorld(t, func(w *world) {
		var err error
		w.cfg.Keys, err = jwks.NewRotator(jwks.RotatorConfig{RotateEvery: 12 * time.Hour, Now: w.now})
		require.NoError(w.t, err)
	})
	published := func() *jwks.Set { // what an API sees that fetched the document just now
		set, err := jwks.Parse([]byte(w.do(httptest.NewRequest("GET", issuer+"/.well-known/jwks.json", nil)).body))
		require.NoError(t, err)
		return set
	}
	token := w.signIn().str("refresh_token")
	kids := map[any]bool{}
	stale := published()
	for range 31 * 12 / 2 {
		r := w.refresh(token)
		require.Equal(t, http.StatusOK, r.status, r.body)
		token = r.str("refresh_token")
		head, _ := claims(t, r.str("access_token"))
		kids[head["kid"]] = true
		w.advance(2 * time.Minute) // the document is cached for up to 5 minutes: the API still has the one from before
		cfg := middleware.NewConfig(issuer, "api1")
		cfg.Issuer.Keys, cfg.Now = stale, w.now
		v, err := middleware.NewValidator(cfg)
		require.NoError(t, err)
		_, err = v.Validate(t.Context(), r.str("access_token"))
		require.NoError(t, err)
		w.advance(116 * time.Minute)
		stale = published()
		w.advance(2 * time.Minute)
	}
	assert.GreaterOrEqual(t, len(kids), 30, "rotations")
}
