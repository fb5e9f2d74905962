package webclient

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

func (a *App) oauth(found *endpoints, redirectURI string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     a.options.ClientID,
		ClientSecret: a.options.ClientSecret,
		RedirectURL:  redirectURI,
		Scopes:       strings.Fields(a.options.Scope),
		Endpoint:     oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: oauth2.AuthStyleInHeader},
	}
}

// login sends the browser to the authorization server.
func (a *App) login(w http.ResponseWriter, r *http.Request) {
	found, err := a.issuer.endpoints(r.Context())
	if err != nil {
		a.fail(w, http.StatusBadGateway, "The authorization server could not be reached.", err)
		return
	}
	s := login{
		state: random(), nonce: random(), verifier: oauth2.GenerateVerifier(),
		redirectURI: a.redirectURI(r), expires: time.Now().Add(loginLifetime),
	}
	cookie := random()
	a.logins.put(cookie, s)
	setCookie(w, loginCookie, cookie, loginLifetime)
	http.Redirect(w, r, a.oauth(found, s.redirectURI).AuthCodeURL(s.state,
		oauth2.S256ChallengeOption(s.verifier), oauth2.SetAuthURLParam("nonce", s.nonce)), http.StatusFound)
}

// callback receives the authorization server's answer (RFC 6749, Section 4.1.2).
func (a *App) callback(w http.ResponseWriter, r *http.Request) {
	s, ok := a.logins.take(r, loginCookie)
	dropCookie(w, loginCookie)
	query := r.URL.Query()
	if !ok || time.Now().After(s.expires) || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(s.state)) != 1 {
		a.fail(w, http.StatusBadRequest, "This sign-in was started elsewhere or took too long. Please sign in again.", errors.New("unknown state"))
		return
	}
	if code := query.Get("error"); code != "" {
		a.fail(w, http.StatusForbidden, "The authorization server refused: "+code+".", errors.New("refused: "+code))
		return
	}
	found, err := a.issuer.endpoints(r.Context())
	if err != nil {
		a.fail(w, http.StatusBadGateway, "The authorization server could not be reached.", err)
		return
	}
	if iss := query.Get("iss"); iss != "" && iss != found.Issuer { // RFC 9207, Section 2.4: the answer of another server
		a.fail(w, http.StatusBadRequest, "This answer comes from another authorization server.", errors.New("iss differs"))
		return
	}

	config := a.oauth(found, s.redirectURI)
	ctx := context.WithValue(r.Context(), oauth2.HTTPClient, a.options.Client)
	token, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(s.verifier))
	if err != nil {
		a.fail(w, http.StatusBadGateway, "The authorization server did not accept the code"+oauthCode(err)+".", err)
		return
	}
	if err := a.checkIDToken(r.Context(), token, s.nonce); err != nil {
		a.fail(w, http.StatusBadGateway, "The ID token does not belong to this sign-in.", err)
		return
	}
	session, err := a.newSession(config, token)
	if err != nil {
		a.fail(w, http.StatusInternalServerError, "The session could not be created.", err)
		return
	}
	cookie := random()
	a.sessions.put(cookie, session)
	setCookie(w, sessionCookie, cookie, 12*time.Hour)
	if a.options.OnLogin != nil {
		a.options.OnLogin(config, token)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *App) checkIDToken(ctx context.Context, token *oauth2.Token, nonce string) error {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return errors.New("webclient: no ID token")
	}
	id, err := a.idTokens.Validate(ctx, raw)
	if err != nil {
		return err
	}
	var claims struct {
		Nonce string `json:"nonce"`
	}
	if err := id.Decode(&claims); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(nonce)) != 1 {
		return errors.New("webclient: the ID token has the nonce of another sign-in")
	}
	return nil
}

// logout ends the session here, then sends the browser to end the one at the authorization server (OpenID Connect
// RP-Initiated Logout).
func (a *App) logout(w http.ResponseWriter, r *http.Request) {
	s, ok := a.sessions.take(r, sessionCookie)
	dropCookie(w, sessionCookie)
	found, err := a.issuer.endpoints(r.Context())
	if ok && err == nil && found.Revocation != "" {
		if err := a.revoke(r.Context(), found.Revocation, s.tokens().RefreshToken); err != nil {
			a.logger.Warn("the refresh token could not be revoked: it lives until it expires", "error", err)
		}
	}
	if !ok || err != nil || found.EndSession == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	// Without id_token_hint the server asks the person to confirm; with it, a token would be in the browser's history.
	http.Redirect(w, r, found.EndSession+"?"+url.Values{"client_id": {a.options.ClientID}}.Encode(), http.StatusSeeOther)
}

// revoke revokes a refresh token (RFC 7009): after logout, a stolen copy must not work.
func (a *App) revoke(ctx context.Context, endpoint, token string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	form := url.Values{"token": {token}, "token_type_hint": {"refresh_token"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(a.options.ClientID), url.QueryEscape(a.options.ClientSecret))
	response, err := a.options.Client.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("revocation: %s", response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// oauthCode returns the error code of a token endpoint's answer for the page: a registered code, never the description.
func oauthCode(err error) string {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.ErrorCode != "" {
		return " (" + answer.ErrorCode + ")"
	}
	return ""
}
