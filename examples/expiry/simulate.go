package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

const (
	issuerName = "https://issuer.example"
	lifetime   = time.Minute      // of an access token
	interval   = 10 * time.Second // between two calls
	duration   = 390 * time.Second
)

// epoch is when the virtual clock starts. It is fixed, so that the picture and the dates in challenges never change.
var epoch = time.Date(2021, time.June, 16, 5, 15, 1, 0, time.UTC)

// A lane is one Api1 and what its caller sees.
type lane struct {
	name, summary string
	skew          time.Duration
	profile       middleware.Profile
	style         middleware.Style
	requireExp    bool
	endless       bool // the caller's tokens have no exp

	calls  []call
	tokens []time.Duration // when each token was issued
}

// A call is one request with the current token.
type call struct {
	at        time.Duration
	status    int
	challenge string
	refreshed bool // it was rejected, and the caller refreshed
}

func lanes() []*lane {
	return []*lane{
		{
			name: "300 s, ASP.NET profile", skew: 300 * time.Second, profile: middleware.ASPNET, style: middleware.StyleASPNET, requireExp: true,
			summary: "With ASP.NET's default skew of 300 s a one-minute token is accepted for six minutes, up to and including exp + 300 s.",
		},
		{
			name: "60 s", skew: time.Minute, requireExp: true,
			summary: "With a skew of one minute, Bearergate's default, it is accepted for less than two minutes.",
		},
		{
			name: "0 s", requireExp: true,
			summary: "With a skew of zero it is accepted until exp, and a clock that is one second off is noticed.",
		},
		{
			name: "no exp, required", skew: time.Minute, requireExp: true, endless: true,
			summary: "A token without exp is rejected from the start, because RequireExpirationTime is true.",
		},
		{
			name: "no exp, not required", skew: time.Minute, endless: true,
			summary: "With RequireExpirationTime = false it is accepted for ever.",
		},
	}
}

// simulate calls every lane's Api1 at every interval of the virtual clock. The APIs are the real middleware.
func simulate(ctx context.Context) ([]*lane, error) {
	now := epoch
	clock := func() time.Time { return now }
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Now: clock})
	if err != nil {
		return nil, err
	}
	all := lanes()
	for _, l := range all {
		now = epoch
		cfg := middleware.NewConfig(issuerName, "api1")
		cfg.Issuer.Keys = keys
		cfg.ClockSkew = l.skew
		cfg.RequireExpirationTime = l.requireExp
		cfg.Issuer.Profile, cfg.Style = l.profile, l.style
		cfg.Now = clock
		auth, err := middleware.New(cfg)
		if err != nil {
			return nil, err
		}
		api := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
		if err := l.run(ctx, api, keys, &now); err != nil {
			return nil, err
		}
		if err := auth.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (l *lane) run(ctx context.Context, api http.Handler, keys *jwks.Rotator, now *time.Time) error {
	token, err := l.issue(ctx, keys, *now)
	if err != nil {
		return err
	}
	for at := time.Duration(0); at <= duration; at += interval {
		*now = epoch.Add(at)
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://api1.example/identity", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, request)
		c := call{at: at, status: answer.Code, challenge: answer.Header().Get("WWW-Authenticate")}
		if c.status == http.StatusUnauthorized && !l.endless {
			c.refreshed = true
			if token, err = l.issue(ctx, keys, *now); err != nil {
				return err
			}
		}
		l.calls = append(l.calls, c)
	}
	return nil
}

func (l *lane) issue(ctx context.Context, keys *jwks.Rotator, now time.Time) (string, error) {
	claims := jwt.MapClaims{
		"iss": issuerName, "aud": "api1", "sub": "alice", "client_id": "mvc client", "scope": "api1",
		"iat": now.Unix(), "jti": strconv.Itoa(len(l.tokens)),
	}
	if !l.endless {
		claims["exp"] = now.Add(lifetime).Unix()
	}
	l.tokens = append(l.tokens, now.Sub(epoch))
	return keys.Sign(ctx, "at+jwt", claims)
}
