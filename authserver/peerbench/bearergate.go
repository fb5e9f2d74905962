package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

// newBearergate is this project, with the defaults: its store in memory, ES256.
func newBearergate() (*server, error) {
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Algorithm: "ES256"})
	if err != nil {
		return nil, err
	}
	users, err := authserver.NewUserList(authserver.User{Subject: subject, Username: "alice",
		PasswordHash: authserver.HashPassword("nobody signs in")})
	if err != nil {
		return nil, err
	}
	cfg := authserver.NewConfig(issuer)
	cfg.Keys, cfg.Users = keys, users
	cfg.Resources = map[string][]string{audience: {"api1"}}
	cfg.Clients = []authserver.Client{{ID: clientID, GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{"http://127.0.0.1:5003/callback"}, Scopes: scopes}}
	srv, err := authserver.New(cfg)
	if err != nil {
		return nil, err
	}
	return &server{
		handler: srv,
		path:    "/token",
		keySet: func() ([]byte, error) {
			rec := httptest.NewRecorder()
			keys.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
			if rec.Code != http.StatusOK {
				return nil, errors.New("no key set")
			}
			return rec.Body.Bytes(), nil
		},
		grant: func(ctx context.Context) (string, error) {
			t, err := srv.IssueTokens(ctx, authserver.IssueRequest{ClientID: clientID, Subject: subject, Scopes: scopes})
			if err != nil {
				return "", err
			}
			return t.RefreshToken, nil
		},
	}, nil
}
