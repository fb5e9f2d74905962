package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// A caller calls every Api1 once in an interval. It refreshes only after a 401 invalid_token, never by its own clock, so that
// the page shows what the APIs do.
type caller struct {
	apis     []string
	interval time.Duration
	http     *http.Client
	timeline *timeline
	issuerOn func() bool

	mu     sync.Mutex
	login  *login
	paused bool
}

// A login has one refresh token, which all lanes refresh with; each lane keeps its own access token.
type login struct {
	user      string
	client    *oauth2.Config
	transport *authclient.Transport // only its Refresh is used

	mu    sync.Mutex
	lanes []string // access tokens
	ended bool
}

func newCaller(apis []string, interval time.Duration, issuerOn func() bool) *caller {
	c := &caller{apis: apis, interval: interval, issuerOn: issuerOn, http: &http.Client{Timeout: 5 * time.Second}}
	c.timeline = newTimeline(c.status)
	return c
}

func (c *caller) status() status {
	s, paused := c.current()
	now := status{Now: time.Now().UnixMilli(), Paused: paused, IssuerUp: c.issuerOn()}
	if s != nil {
		now.SignedIn, now.Ended = s.user, s.hasEnded()
	}
	return now
}

func (c *caller) current() (*login, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.login, c.paused
}

// signedIn replaces the login that the caller calls with.
func (c *caller) signedIn(client *oauth2.Config, token *oauth2.Token) {
	config := authclient.NewConfig(client, c.apis...)
	transport, err := authclient.New(config, token)
	if err != nil {
		c.timeline.note("The login could not be used.")
		return
	}
	s := &login{client: client, transport: transport, lanes: make([]string, len(c.apis))}
	_, claims := decode(token.AccessToken)
	var who struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(claims, &who) == nil {
		s.user = who.Subject
	}
	for i := range s.lanes {
		s.lanes[i] = token.AccessToken
	}
	c.mu.Lock()
	c.login = s
	c.mu.Unlock()
	c.timeline.note("Signed in as " + s.user + ".")
	for i := range s.lanes {
		c.showToken(i, token.AccessToken)
	}
}

// signOut ends the login and revokes its refresh token (RFC 7009).
func (c *caller) signOut(ctx context.Context, revocation string) {
	c.mu.Lock()
	s := c.login
	c.login = nil
	c.mu.Unlock()
	if s == nil {
		return
	}
	form := url.Values{"token": {s.transport.Current().RefreshToken}, "token_type_hint": {"refresh_token"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, revocation, strings.NewReader(form.Encode()))
	if err == nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth(url.QueryEscape(s.client.ClientID), url.QueryEscape(s.client.ClientSecret))
		var response *http.Response
		if response, err = c.http.Do(request); err == nil {
			err = response.Body.Close()
		}
	}
	if err != nil {
		c.timeline.note("Signed out here. The authorization server could not be reached: the refresh token works until it expires.")
		return
	}
	c.timeline.note("Signed out. The refresh token is revoked.")
}

func (c *caller) pause(paused bool) {
	c.mu.Lock()
	c.paused = paused
	c.mu.Unlock()
	if paused {
		c.timeline.note("The caller is paused.")
	} else {
		c.timeline.note("The caller has resumed.")
	}
}

// run calls until ctx ends.
func (c *caller) run(ctx context.Context) error {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if _, paused := c.current(); !paused {
			c.callAll(ctx)
		}
	}
}

// callAll calls all lanes in parallel and returns when all have answered.
func (c *caller) callAll(ctx context.Context) {
	s, _ := c.current()
	if s == nil {
		return
	}
	var wait sync.WaitGroup
	for lane := range c.apis {
		wait.Go(func() { c.callLane(ctx, s, lane) })
	}
	wait.Wait()
}

func (c *caller) callLane(ctx context.Context, s *login, lane int) {
	token := s.token(lane)
	e, err := c.call(ctx, lane, token)
	if err != nil {
		return
	}
	c.timeline.add(e)
	if e.Status != http.StatusUnauthorized || !strings.Contains(e.Challenge, `error="invalid_token"`) || s.hasEnded() {
		return
	}
	fresh, err := s.transport.Refresh(ctx)
	switch {
	case errors.Is(err, authclient.ErrLoginRequired):
		if s.markEnded() {
			c.timeline.note("The authorization server rejects the refresh token: the user must sign in again.")
		}
		c.timeline.add(event{Kind: "refresh", Lane: lane, Text: "invalid_grant"})
		return
	case err != nil:
		c.timeline.add(event{Kind: "refresh", Lane: lane, Text: "the authorization server can't be reached"})
		return
	}
	c.timeline.add(event{Kind: "refresh", Lane: lane, OK: true})
	s.setToken(lane, fresh.AccessToken)
	c.showToken(lane, fresh.AccessToken)
	if e, err := c.call(ctx, lane, fresh.AccessToken); err == nil { // the retry
		c.timeline.add(e)
	}
}

// call sends one request and returns what the page shows of the answer.
func (c *caller) call(ctx context.Context, lane int, token string) (event, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.apis[lane]+"/identity", nil)
	if err != nil {
		return event{}, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := c.http.Do(request)
	if err != nil {
		return event{}, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return event{
		Kind: "call", Lane: lane, Status: response.StatusCode, Challenge: response.Header.Get("WWW-Authenticate"),
		Text: http.StatusText(response.StatusCode), Time: time.Now().UnixMilli(),
	}, response.Body.Close()
}

// showToken puts the token's header and claims on the timeline, never the token.
func (c *caller) showToken(lane int, token string) {
	header, claims := decode(token)
	var times struct {
		IssuedAt int64 `json:"iat"`
		Expires  int64 `json:"exp"`
	}
	if json.Unmarshal(claims, &times) != nil {
		return
	}
	c.timeline.add(event{Kind: "token", Lane: lane, IssuedAt: times.IssuedAt * 1000, Expires: times.Expires * 1000, Header: header, Claims: claims})
}

// decode returns a token's header and claims without validating them: to be shown, never to decide with.
func decode(token string) (header, claims json.RawMessage) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil
	}
	h, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	p, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	if err1 != nil || err2 != nil || !json.Valid(h) || !json.Valid(p) {
		return nil, nil
	}
	return h, p
}

func (s *login) token(lane int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lanes[lane]
}

func (s *login) setToken(lane int, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes[lane] = token
}

func (s *login) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// markEnded reports whether the login was not marked before.
func (s *login) markEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.ended
	s.ended = true
	return first
}
