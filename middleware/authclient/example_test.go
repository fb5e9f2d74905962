package authclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// exampleServer returns an API that accepts each access token once, and its authorization server.
func exampleServer() *httptest.Server {
	mux := http.NewServeMux()
	valid := ""
	mux.HandleFunc("GET /identity", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+valid {
			fmt.Println("GET /identity: 401 invalid_token")
			w.Header().Set("WWW-Authenticate", `Bearer realm="api1", error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Println("GET /identity: 200")
		_, _ = io.WriteString(w, "alice")
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("POST /token:", r.PostFormValue("grant_type"))
		valid = "another-access-token"
		_, _ = io.WriteString(w, `{"access_token":"another-access-token","token_type":"Bearer","expires_in":300,"refresh_token":"another-refresh-token"}`)
	})
	return httptest.NewServer(mux)
}

func Example() {
	server := exampleServer()
	defer server.Close()
	oauthConfig := &oauth2.Config{
		ClientID:     "mvc client",
		ClientSecret: "mvc secret",
		Endpoint:     oauth2.Endpoint{TokenURL: server.URL + "/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	// From oauthConfig.Exchange, after the user has logged in.
	token := &oauth2.Token{AccessToken: "an-access-token", RefreshToken: "a-refresh-token", Expiry: time.Now().Add(time.Hour)}

	cfg := authclient.NewConfig(oauthConfig, server.URL)
	cfg.OnLoginRequired = func(err error) { fmt.Println("log in again:", err) }
	transport, err := authclient.New(cfg, token)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: transport, Timeout: time.Minute}

	resp, err := client.Get(server.URL + "/identity")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println("got", string(body), err)

	// Output:
	// GET /identity: 401 invalid_token
	// POST /token: refresh_token
	// GET /identity: 200
	// got alice <nil>
}

func ExampleNewConfig() {
	cfg := authclient.NewConfig(&oauth2.Config{ClientID: "spa"}, "http://api.example")
	_, err := authclient.New(cfg, nil)
	fmt.Println(err)
	// Output:
	// authclient: OAuth2.Endpoint.AuthStyle: it is not detected: set oauth2.AuthStyleInHeader (client_secret_basic) or oauth2.AuthStyleInParams (client_secret_post, or no secret)
	// authclient: OAuth2.Endpoint.TokenURL is empty
	// authclient: Origins: "http://api.example": http on a host that is not loopback: use https, or set AllowInsecureHTTP
	// authclient: there is no token: pass one to New, or set a Store that has one
}

// A web application has one Config, and a Transport for each logged-in user. Save stores the tokens in the user's
// server-side session.
func ExampleNew_webApplication() {
	oauthConfig := &oauth2.Config{ClientID: "web", ClientSecret: "web secret",
		Endpoint: oauth2.Endpoint{TokenURL: "https://issuer.example/token", AuthStyle: oauth2.AuthStyleInHeader}}
	shared := authclient.NewConfig(oauthConfig, "https://api.example")

	type session struct{ api *authclient.Transport }
	loggedIn := func(token *oauth2.Token) (*session, error) {
		cfg := *shared
		cfg.Save = func(_ context.Context, token *oauth2.Token) error {
			idToken, _ := token.Extra("id_token").(string)
			_ = idToken // save it with token.AccessToken, token.RefreshToken and token.Expiry
			return nil
		}
		api, err := authclient.New(&cfg, token)
		return &session{api}, err
	}

	s, err := loggedIn(&oauth2.Token{AccessToken: "an-access-token"})
	fmt.Println(s.api.Current().Type(), err)
	// Output: Bearer <nil>
}

// A command-line program keeps its token in a file. Several instances of it may run at once.
func ExampleNewFileStore() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	oauthConfig := &oauth2.Config{ClientID: "cli",
		Endpoint: oauth2.Endpoint{TokenURL: "https://issuer.example/token", AuthStyle: oauth2.AuthStyleInParams}}

	cfg := authclient.NewConfig(oauthConfig, "https://api.example")
	cfg.Store = authclient.NewFileStore(filepath.Join(dir, "token.json"))
	transport, err := authclient.New(cfg, nil) // nil: the token is in the Store
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = transport.Token()
	if errors.Is(err, authclient.ErrLoginRequired) {
		fmt.Println(err)
		// Let the user log in, then:
		err = transport.SetToken(context.Background(), &oauth2.Token{AccessToken: "an-access-token"})
	}
	fmt.Println(err)
	// Output:
	// authclient: login required: the store has no token
	// <nil>
}

// Two Transports of one grant in one process share a MemoryStore, as two processes share a file.
func ExampleNewMemoryStore() {
	store := authclient.NewMemoryStore()
	err := store.Save(context.Background(), &oauth2.Token{AccessToken: "an-access-token"})
	fmt.Println(store, err)
	// Output: authclient.MemoryStore <nil>
}
