package interop_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/authservertest"
	"github.com/bearergate/bearergate/middleware"
)

const callback = "http://127.0.0.1:5002/signin-oidc" // nobody listens there: the test's browser stops before it

// start runs an authorization server on loopback, at a path so that the well-known documents have two forms.
func start(t *testing.T, path string) (issuer string) {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	issuer = srv.URL + path

	users, err := authserver.NewUserList(authserver.User{
		Subject: "alice", Username: "alice", PasswordHash: authserver.HashPassword("alice"),
		Claims: map[string]any{"name": "Alice Smith", "email": "alice@example.com"},
	})
	require.NoError(t, err)
	cfg := authserver.NewConfig(issuer)
	cfg.Users = users
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	scopes := []string{"openid", "profile", "email", "api1", "offline_access"}
	cfg.Clients = []authserver.Client{
		{
			ID: "mvc client", Secrets: []authserver.Secret{authserver.HashSecret("mvc secret")},
			GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{callback}, Scopes: scopes,
		},
		{ID: "spa", GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{callback}, Scopes: scopes},
	}
	handler, err = authserver.New(cfg)
	require.NoError(t, err)
	return issuer
}

// signIn returns the answer that alice gets for an authorization request.
func signIn(t *testing.T, authURL string) url.Values {
	t.Helper()
	answer, err := authservertest.Authorize(nil, authURL, "alice", "alice")
	require.NoError(t, err, "signing in leads back to the client")
	return answer
}

// The whole life of a grant as a user of go-oidc and x/oauth2 writes it, once per way of authenticating the client.
func TestCodeFlowAndRefresh(t *testing.T) {
	for _, row := range []struct {
		name, path, client, secret string
		style                      oauth2.AuthStyle
	}{
		{"confidential client, secret in the header", "", "mvc client", "mvc secret", oauth2.AuthStyleInHeader},
		{"confidential client, secret in the body", "", "mvc client", "mvc secret", oauth2.AuthStyleInParams},
		{"confidential client, x/oauth2 finds out by probing", "", "mvc client", "mvc secret", oauth2.AuthStyleAutoDetect},
		{"public client", "", "spa", "", oauth2.AuthStyleInParams},
		{"public client, x/oauth2 finds out by probing", "", "spa", "", oauth2.AuthStyleAutoDetect},
		{"an issuer with a path", "/tenant", "mvc client", "mvc secret", oauth2.AuthStyleInHeader},
	} {
		t.Run(row.name, func(t *testing.T) {
			ctx := t.Context()
			issuer := start(t, row.path)
			provider, err := oidc.NewProvider(ctx, issuer)
			require.NoError(t, err, "discovery")
			config := &oauth2.Config{
				ClientID: row.client, ClientSecret: row.secret, RedirectURL: callback, Endpoint: provider.Endpoint(),
				Scopes: []string{oidc.ScopeOpenID, "profile", "email", "api1", oidc.ScopeOfflineAccess},
			}
			config.Endpoint.AuthStyle = row.style

			verifier, state, nonce := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
			answer := signIn(t, config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce)))
			require.Equal(t, state, answer.Get("state"))
			require.Equal(t, issuer, answer.Get("iss"), "RFC 9207")

			token, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
			require.NoError(t, err)
			require.True(t, token.Valid())
			require.NotEmpty(t, token.RefreshToken)

			id := idToken(t, provider, config, token)
			assert.Equal(t, nonce, id.Nonce)
			assert.Equal(t, "alice", id.Subject)
			if id.AccessTokenHash != "" {
				assert.NoError(t, id.VerifyAccessToken(token.AccessToken))
			}

			info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
			require.NoError(t, err)
			assert.Equal(t, "alice", info.Subject)
			assert.Equal(t, "alice@example.com", info.Email)

			accepted(t, issuer, token.AccessToken)

			stale := *token
			stale.Expiry = time.Now().Add(-time.Hour)
			refreshed, err := config.TokenSource(ctx, &stale).Token()
			require.NoError(t, err, "refresh through a TokenSource")
			assert.NotEqual(t, token.AccessToken, refreshed.AccessToken)
			assert.NotEmpty(t, refreshed.RefreshToken)
			assert.NotEqual(t, token.RefreshToken, refreshed.RefreshToken)
			accepted(t, issuer, refreshed.AccessToken)
			again := idToken(t, provider, config, refreshed)
			assert.Equal(t, id.Subject, again.Subject)

			_, err = config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
			assertOAuthError(t, err, "invalid_grant")
		})
	}
}

func TestRefusalsAreReadByXOAuth2(t *testing.T) {
	ctx := t.Context()
	issuer := start(t, "")
	provider, err := oidc.NewProvider(ctx, issuer)
	require.NoError(t, err)
	config := func(client, secret string) *oauth2.Config {
		c := &oauth2.Config{ClientID: client, ClientSecret: secret, RedirectURL: callback, Endpoint: provider.Endpoint(), Scopes: []string{"api1", "offline_access"}}
		c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
		return c
	}
	good := config("mvc client", "mvc secret")
	verifier := oauth2.GenerateVerifier()
	answer := signIn(t, good.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)))

	_, err = good.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier()))
	assertOAuthError(t, err, "invalid_grant")
	_, err = config("mvc client", "wrong").Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	assertOAuthError(t, err, "invalid_client")

	token, err := good.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err, "failed attempts did not burn the code")

	token.Expiry = time.Now().Add(-time.Hour)
	_, err = config("mvc client", "wrong").TokenSource(ctx, token).Token()
	assertOAuthError(t, err, "invalid_client")
	_, err = good.TokenSource(ctx, &oauth2.Token{RefreshToken: "rt1_made_up", Expiry: time.Now().Add(-time.Hour)}).Token()
	assertOAuthError(t, err, "invalid_grant")

	_, err = good.TokenSource(ctx, token).Token()
	require.NoError(t, err, "failed attempts did not burn the refresh token")
}

func idToken(t *testing.T, provider *oidc.Provider, config *oauth2.Config, token *oauth2.Token) *oidc.IDToken {
	t.Helper()
	raw, ok := token.Extra("id_token").(string)
	require.True(t, ok, "the answer has an id_token")
	id, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID, SupportedSigningAlgs: []string{"ES256"}}).Verify(context.Background(), raw)
	require.NoError(t, err)
	return id
}

// accepted asks our own middleware, which finds the keys by discovery like any API.
func accepted(t *testing.T, issuer, token string) {
	t.Helper()
	cfg := middleware.NewConfig(issuer, "api1")
	cfg.Issuer.Profile = middleware.RFC9068
	v, err := middleware.NewValidator(cfg)
	require.NoError(t, err)
	defer v.Close()
	tok, err := v.Validate(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, "alice", tok.Subject())
	assert.True(t, tok.HasScope("api1"))
}

func assertOAuthError(t *testing.T, err error, code string) {
	t.Helper()
	var answer *oauth2.RetrieveError
	if assert.True(t, errors.As(err, &answer), "an OAuth error, not %v", err) {
		assert.Equal(t, code, answer.ErrorCode)
	}
}
