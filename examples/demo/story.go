package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/examples/internal/browser"
	"github.com/bearergate/bearergate/middleware/authclient"
)

// A story is the steps A to H of RFC 6749, Section 1.5, over real HTTP, and what Api1's two settings change in them.
type story struct {
	servers        *servers
	lifetime, skew time.Duration
	out            io.Writer
	http           *http.Client

	issued        time.Time // when the access token in hand was; before the first one: when the story began
	steps, failed int
}

func newStory(s *servers, out io.Writer, lifetime, skew time.Duration) *story {
	return &story{servers: s, lifetime: lifetime, skew: skew, out: out, http: &http.Client{Timeout: 10 * time.Second}}
}

// tokens is what the story reads of a token endpoint's answer.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	ExpiresIn    int    `json:"expires_in"`
}

// step prints one line and counts it.
func (s *story) step(letter, what string, passed bool, answer string) {
	s.steps++
	mark := "ok"
	if !passed {
		s.failed++
		mark = "WRONG"
	}
	fmt.Fprintf(s.out, "%7.2fs  %-2s %-57s %s  [%s]\n", time.Since(s.issued).Seconds(), letter, what, answer, mark)
}

func (s *story) run(ctx context.Context) error {
	s.issued = time.Now()
	fmt.Fprintf(s.out, "seconds since the access token was issued; it lives for %v, and Api1's clock skew is %v\n\n", s.lifetime, s.skew)

	code, verifier, err := s.signIn(ctx)
	if err != nil {
		return err
	}
	s.step("A", "alice signs in and lets the web client call Api1", code != "", "302, a code")

	client := s.oauth()
	first, err := s.token(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {client.RedirectURL}, "code_verifier": {verifier},
	})
	if err != nil {
		return err
	}
	s.issued = time.Now()
	s.step("B", "POST /token with the code", first.AccessToken != "" && first.RefreshToken != "" && first.IDToken != "", "200, access and refresh token")
	exp, err := expiry(first.AccessToken)
	if err != nil {
		return err
	}
	through, err := s.loginThroughAuthclient(ctx) // a second login, for the same calls at the same times
	if err != nil {
		return err
	}

	if err := s.call(ctx, "C", "GET /identity", first.AccessToken, http.StatusOK); err != nil {
		return err
	}
	s.callThroughAuthclient(ctx, through)
	if err := s.call(ctx, "D", "GET /identity again", first.AccessToken, http.StatusOK); err != nil {
		return err
	}

	if err := sleepUntil(ctx, exp.Add(s.skew/2)); err != nil {
		return err
	}
	if err := s.call(ctx, "E", "GET /identity, past exp but inside the skew", first.AccessToken, http.StatusOK); err != nil {
		return err
	}
	s.callThroughAuthclient(ctx, through)

	if err := sleepUntil(ctx, exp.Add(s.skew+50*time.Millisecond)); err != nil {
		return err
	}
	if err := s.call(ctx, "F", "GET /identity, past exp and skew", first.AccessToken, http.StatusUnauthorized); err != nil {
		return err
	}

	second, err := s.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}})
	if err != nil {
		return err
	}
	s.step("G", "POST /token with the refresh token", second.AccessToken != "" && second.AccessToken != first.AccessToken, "200, a new access token")
	s.issued = time.Now()
	s.step("H", "and the refresh token was replaced too", second.RefreshToken != "" && second.RefreshToken != first.RefreshToken, "a new refresh token")
	if err := s.call(ctx, "", "GET /identity with the new access token", second.AccessToken, http.StatusOK); err != nil {
		return err
	}
	s.callThroughAuthclient(ctx, through)
	s.step("", "the same calls through authclient: no 401 was seen", through.calls == 3 && through.refused == 0 && through.refreshes > 0,
		fmt.Sprintf("%d calls, refreshed %d time(s)", through.calls, through.refreshes))

	return s.withoutExpiry(ctx)
}

// withoutExpiry is the second half: a token without exp, and an API for each value of RequireExpirationTime.
func (s *story) withoutExpiry(ctx context.Context) error {
	fmt.Fprintf(s.out, "\nA token without exp, otherwise like the others:\n\n")
	now := time.Now()
	s.issued = now
	endless, err := s.servers.issuer.Keys.Sign(ctx, "at+jwt", jwt.MapClaims{
		"iss": s.servers.issuerURL, "aud": "api1", "sub": "alice", "client_id": "mvc client", "scope": "api1",
		"iat": now.Unix(), "jti": "without-exp",
	})
	if err != nil {
		return err
	}
	if err := s.call(ctx, "", "GET /identity, RequireExpirationTime = true", endless, http.StatusUnauthorized); err != nil {
		return err
	}
	return s.callAt(ctx, s.servers.apis[1], "", "GET /identity, RequireExpirationTime = false", endless, http.StatusOK)
}

// signIn does what alice and her browser do, and returns the code.
func (s *story) signIn(ctx context.Context) (code, verifier string, err error) {
	client := s.oauth()
	verifier, state := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	answer, err := browser.New(s.http.Transport).SignIn(ctx, client.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), client.RedirectURL, "alice", "alice")
	if err != nil {
		return "", "", err
	}
	if answer.Query().Get("state") != state {
		return "", "", errors.New("the authorization server's answer carries another state")
	}
	return answer.Query().Get("code"), verifier, nil
}

func (s *story) oauth() *oauth2.Config {
	return &oauth2.Config{
		ClientID: "mvc client", ClientSecret: "mvc secret", RedirectURL: redirectURI(s.servers.clientURL),
		Scopes: []string{"openid", "profile", "email", "phone", "address", "api1", "offline_access"},
		Endpoint: oauth2.Endpoint{
			AuthURL: s.servers.issuerURL + "/authorize", TokenURL: s.servers.issuerURL + "/token", AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
}

// token asks the token endpoint as the web client.
func (s *story) token(ctx context.Context, form url.Values) (*tokens, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.oauth().Endpoint.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape("mvc client"), url.QueryEscape("mvc secret")) // RFC 6749, Section 2.3.1: form-encoded first
	response, err := s.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the token endpoint answered %s", response.Status)
	}
	var t tokens
	return &t, json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&t)
}

func (s *story) call(ctx context.Context, letter, what, token string, want int) error {
	return s.callAt(ctx, s.servers.apis[0], letter, what, token, want)
}

// callAt calls an Api1 and prints the challenge of a refusal.
func (s *story) callAt(ctx context.Context, api, letter, what, token string, want int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/identity", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	challenge := response.Header.Get("WWW-Authenticate")
	passed := response.StatusCode == want
	switch want {
	case http.StatusOK:
		passed = passed && bytes.Contains(body, []byte(`"alice"`))
	case http.StatusUnauthorized:
		passed = passed && strings.HasPrefix(challenge, "Bearer ") && strings.Contains(challenge, `error="invalid_token"`)
	}
	s.step(letter, what, passed, response.Status)
	if challenge != "" {
		fmt.Fprintf(s.out, "             WWW-Authenticate: %s\n", challenge)
	}
	return nil
}

// An authclientCaller calls Api1 through an authclient.Transport, which refreshes for it.
type authclientCaller struct {
	client                    *http.Client
	calls, refused, refreshes int
}

func (s *story) loginThroughAuthclient(ctx context.Context) (*authclientCaller, error) {
	code, verifier, err := s.signIn(ctx)
	if err != nil {
		return nil, err
	}
	token, err := s.oauth().Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, err
	}
	t := &authclientCaller{}
	config := authclient.NewConfig(s.oauth(), s.servers.apis[0])
	config.Save = func(context.Context, *oauth2.Token) error { t.refreshes++; return nil }
	transport, err := authclient.New(config, token)
	if err != nil {
		return nil, err
	}
	t.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return t, nil
}

func (s *story) callThroughAuthclient(ctx context.Context, t *authclientCaller) {
	t.calls++
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.servers.apis[0]+"/identity", nil)
	if err != nil {
		t.refused++
		return
	}
	response, err := t.client.Do(request)
	if err != nil {
		t.refused++
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	if response.Body.Close() != nil || response.StatusCode != http.StatusOK {
		t.refused++
	}
}

// expiry reads exp without validating the token: here it only says how long to wait.
func expiry(token string) (time.Time, error) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return time.Time{}, err
	}
	if claims.ExpiresAt == nil {
		return time.Time{}, errors.New("the access token has no exp")
	}
	return claims.ExpiresAt.Time, nil
}

func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
