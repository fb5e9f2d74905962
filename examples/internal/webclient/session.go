package webclient

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

const (
	sessionCookie = "webclient_session"
	loginCookie   = "webclient_signin"
	loginLifetime = 10 * time.Minute
	maxSessions   = 10_000 // bounds the memory that strangers can make it use
)

// A session is one signed-in browser. Its tokens stay on the server; the browser holds a random cookie.
type session struct {
	api *http.Client // sends the session's access token, and refreshes it

	mu    sync.Mutex
	saved Saved
	ended bool // the authorization server no longer refreshes it
}

// Saved is what a session keeps of a token response, under the names that the ASP.NET client uses.
type Saved struct {
	IDToken      string `json:"id_token"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresAt    string `json:"expires_at"` // ISO 8601, UTC
}

// newSession makes the HTTP client that refreshes the token after a 401 of the API and retries once.
func (a *App) newSession(config *oauth2.Config, token *oauth2.Token) (*session, error) {
	s := &session{saved: saved(token, Saved{})}
	cfg := authclient.NewConfig(config, a.options.API)
	cfg.Base = a.options.Client.Transport
	cfg.RefreshScopes = slices.DeleteFunc(slices.Clone(config.Scopes), func(scope string) bool { return scope == "offline_access" })
	cfg.Save = func(_ context.Context, token *oauth2.Token) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.saved = saved(token, s.saved)
		return nil
	}
	cfg.OnLoginRequired = func(err error) {
		a.logger.Info("session ended: the authorization server no longer refreshes its token", "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = true
	}
	transport, err := authclient.New(cfg, token)
	if err != nil {
		return nil, err
	}
	s.api = &http.Client{Transport: transport, Timeout: 15 * time.Second, CheckRedirect: a.options.Client.CheckRedirect}
	return s, nil
}

// over reports whether the session has ended. A 401 alone does not say so: the API may be wrong, or the refresh may have
// failed.
func (s *session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *session) tokens() Saved {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saved
}

func saved(token *oauth2.Token, before Saved) Saved {
	now := Saved{AccessToken: token.AccessToken, RefreshToken: token.RefreshToken, IDToken: before.IDToken}
	if id, ok := token.Extra("id_token").(string); ok {
		now.IDToken = id
	}
	if !token.Expiry.IsZero() {
		now.ExpiresAt = token.Expiry.UTC().Format("2006-01-02T15:04:05.0000000Z")
	}
	return now
}

// A login is under way at the authorization server: what the redirect carried and the answer must bring back.
type login struct {
	state, nonce, verifier, redirectURI string
	expires                             time.Time
}

// A table holds sessions or logins by the hash of their cookie, so that a dump of the memory shows no usable cookie.
type table[T any] struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte]T
	order   [][sha256.Size]byte
}

func (t *table[T]) put(cookie string, value T) {
	key := sha256.Sum256([]byte(cookie))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries == nil {
		t.entries = make(map[[sha256.Size]byte]T)
	}
	if len(t.order) >= maxSessions {
		delete(t.entries, t.order[0])
		t.order = t.order[1:]
	}
	t.entries[key] = value
	t.order = append(t.order, key)
}

func (t *table[T]) get(r *http.Request, cookie string) (value T, ok bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return value, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	value, ok = t.entries[sha256.Sum256([]byte(c.Value))]
	return value, ok
}

// take is get, but removes the entry.
func (t *table[T]) take(r *http.Request, cookie string) (value T, ok bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return value, false
	}
	key := sha256.Sum256([]byte(c.Value))
	t.mu.Lock()
	defer t.mu.Unlock()
	value, ok = t.entries[key]
	delete(t.entries, key)
	return value, ok
}

func setCookie(w http.ResponseWriter, name, value string, maxAge time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(maxAge.Seconds()), HttpOnly: true,
		// Lax, not Strict: the browser must send it when the authorization server redirects back here.
		SameSite: http.SameSiteLaxMode,
	})
}

func dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func random() string { return rand.Text() + rand.Text() }
