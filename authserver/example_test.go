package authserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/bearergate/bearergate/authserver"
)

func ExampleNew() {
	users, err := authserver.NewUserList(authserver.User{Subject: "1", Username: "alice",
		PasswordHash: authserver.HashPassword("correct horse battery staple")})
	if err != nil {
		log.Fatal(err)
	}
	cfg := authserver.NewConfig("http://127.0.0.1:5000")
	cfg.Users = users
	cfg.Resources = map[string][]string{"api1": {"api1"}} // tokens for scope api1 have aud api1
	cfg.Clients = []authserver.Client{{
		ID:           "spa",
		GrantTypes:   []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{"http://127.0.0.1:5003/callback"},
		Scopes:       []string{"openid", "profile", "api1", "offline_access"},
	}}
	srv, err := authserver.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	// go srv.Run(ctx); http.ListenAndServe("127.0.0.1:5000", srv)

	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	var metadata struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &metadata); err != nil {
		log.Fatal(err)
	}
	fmt.Println(metadata.TokenEndpoint)
	// Output: http://127.0.0.1:5000/token
}

func ExampleNewConfig() {
	cfg := authserver.NewConfig("https://login.example")
	cfg.RefreshGrace = 0 // 0 means 0: strict
	fmt.Println(cfg.AccessTokenLifetime, cfg.RefreshTokenLifetime, cfg.RefreshGrace)
	// Output: 5m0s 720h0m0s 0s
}

func ExampleNewUserList() {
	users, err := authserver.NewUserList(authserver.User{
		Subject: "1", Username: "alice", PasswordHash: authserver.HashPassword("wonderland"),
		Claims: map[string]any{"name": "Alice Smith", "email": "alice@example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = users.Authenticate(context.Background(), "alice", "looking glass")
	fmt.Println(errors.Is(err, authserver.ErrAccessDenied))
	// Output: true
}

func ExampleNewMemoryStore() {
	cfg := authserver.NewConfig("https://login.example")
	cfg.Store = authserver.NewMemoryStore() // what NewConfig sets anyway
	_, err := authserver.New(cfg)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleHashSecret() {
	client := authserver.Client{ID: "worker", GrantTypes: []string{"client_credentials"},
		Secrets: []authserver.Secret{authserver.HashSecret("9f86d081884c7d659a2feaa0c55ad015")}}
	fmt.Println(client.Secrets[0].Hash)
	// Output: sha256:ZyEkYiMUAoUvgY0JW7DCvx9CLt6LkCWHj_Kon8OD9u8
}

// An endpoint of the application that changes a password, ends all grants and returns new tokens when asked to.
func ExampleServer_IssueTokens() {
	users, err := authserver.NewUserList(authserver.User{Subject: "1", Username: "alice", PasswordHash: authserver.HashPassword("old")})
	if err != nil {
		log.Fatal(err)
	}
	cfg := authserver.NewConfig("https://login.example")
	cfg.Users = users
	cfg.Clients = []authserver.Client{{ID: "app", GrantTypes: []string{"refresh_token"}, Scopes: []string{"openid", "offline_access"}}}
	srv, err := authserver.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	// The application has checked the old password and stored the new one; returnSecureToken was true:
	tokens, err := srv.IssueTokens(context.Background(), authserver.IssueRequest{ClientID: "app", Subject: "1", EndOthers: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens.RefreshToken != "", tokens.IDToken != "")
	fmt.Println(tokens) // prints no token
	// Output:
	// true true
	// [token_type=Bearer expires_in=5m0s scope=openid offline_access refresh_token=true id_token=true]
}

// POST /auth/refreshtoken takes JSON. A public client need not name itself.
func ExampleServer_refreshJSON() {
	cfg := authserver.NewConfig("https://login.example")
	cfg.Clients = []authserver.Client{
		{ID: "app", GrantTypes: []string{"refresh_token"}, Scopes: []string{"openid", "offline_access"}},
	}
	srv, err := authserver.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	first, err := srv.IssueTokens(context.Background(), authserver.IssueRequest{ClientID: "app", Subject: "1"})
	if err != nil {
		log.Fatal(err)
	}
	body := strings.NewReader(`{"grant_type": "refresh_token", "refresh_token": "` + first.RefreshToken + `"}`)
	r := httptest.NewRequest(http.MethodPost, "https://login.example/auth/refreshtoken", body)
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	srv.ServeHTTP(answer, r)

	var tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int    `json:"expires_in"`
	}
	err = json.Unmarshal(answer.Body.Bytes(), &tokens)
	fmt.Println(answer.Code, tokens.AccessToken != "", tokens.RefreshToken != first.RefreshToken, tokens.ExpiresIn, err)
	// Output: 200 true true 300 <nil>
}
