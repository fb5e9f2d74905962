package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// A cached token is validated like a new one: two validators, one with a cache and one without, agree on every
// token at every moment around its boundaries.
func TestCachedTokensAreValidatedLikeNewOnes(t *testing.T) {
	for _, profile := range []middleware.Profile{middleware.Default, middleware.RFC9068, middleware.ASPNET} {
		for _, skew := range []time.Duration{0, time.Minute} {
			for _, age := range []time.Duration{0, 10 * time.Minute, 90 * time.Minute} {
				{
					t.Run(fmt.Sprintf("profile %d, skew %v, age %v", profile, skew, age), func(t *testing.T) {
						w := newWorld(t)
						start := w.iss.Now()
						now := start
						w.cfg.Now = func() time.Time { return now }
						w.cfg.Issuer.Profile, w.cfg.ClockSkew, w.cfg.Issuer.MaxTokenAge = profile, skew, age
						w.cfg.RequireExpirationTime = profile == middleware.RFC9068
						cached := w.bearer(t).Validator()
						w.cfg.CacheBytes = 0
						fresh := w.bearer(t).Validator()
						sec := start.Unix()
						for name, mods := range map[string][]authtest.Mod{
							"an hour":       {authtest.ExpiresIn(time.Hour)},
							"no exp":        {authtest.Without("exp")},
							"no nbf":        {authtest.Without("nbf"), authtest.ExpiresIn(time.Hour)},
							"iat later":     {authtest.Claim("iat", sec+30), authtest.ExpiresIn(time.Hour)},
							"nbf before":    {authtest.Claim("nbf", sec-30), authtest.Claim("iat", sec+20), authtest.ExpiresIn(time.Hour)},
							"nbf later":     {authtest.Claim("nbf", sec+40), authtest.ExpiresIn(time.Hour)},
							"with decimals": {authtest.Claim("exp", float64(sec+3600)+0.5), authtest.Claim("iat", float64(sec)+0.25)},
						} {
							raw := w.iss.Token(mods...)
							now = start.Add(45 * time.Second)
							_, _ = cached.Validate(t.Context(), raw)
							for _, from := range []time.Duration{-10 * time.Minute, 0, 500 * time.Millisecond, 250 * time.Millisecond, 20 * time.Second, 30 * time.Second, 40 * time.Second,
								10 * time.Minute, 11 * time.Minute, 90 * time.Minute, 91 * time.Minute, time.Hour, time.Hour + 500*time.Millisecond, -30 * time.Second, 365 * 24 * time.Hour} {
								for _, shift := range []time.Duration{-skew, 0, skew} {
									for _, d := range []time.Duration{-1, 0, 1} {
										now = start.Add(from + shift + d)
										_, want := fresh.Validate(t.Context(), raw)
										_, got := cached.Validate(t.Context(), raw)
										require.Equal(t, middleware.Reason(want), middleware.Reason(got), "%s at %v", name, from+shift+d)
									}
								}
							}
						}
					})
				}
			}
		}
	}
}

// counting counts the lookups that reach a source.
type counting struct {
	jwks.KeySource
	n atomic.Int64
}

func (c *counting) Lookup(ctx context.Context, kid, alg string) ([]*jwks.Key, error) {
	c.n.Add(1)
	return c.KeySource.Lookup(ctx, kid, alg)
}

// The issuer's keys decide at every hit: a key that is gone takes its tokens along.
func TestCachedTokensEndWithTheirKey(t *testing.T) {
	t.Run("a key set that is fetched", func(t *testing.T) {
		w := newWorld(t)
		keys, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: w.iss.Name(), Client: w.iss.Client()})
		require.NoError(t, err)
		w.cfg.Issuer.Keys, w.cfg.HTTPClient = keys, nil
		v := w.bearer(t).Validator()
		raw := w.iss.Token()
		for range 2 {
			_, err = v.Validate(t.Context(), raw)
			require.NoError(t, err)
		}
		w.iss.Rotate()
		w.iss.RemoveOldKeys()
		_, err = v.Validate(t.Context(), w.iss.Token()) // brings the new key set
		require.NoError(t, err)
		_, err = v.Validate(t.Context(), raw)
		assert.Equal(t, middleware.ReasonUnknownKey, middleware.Reason(err))
		require.NoError(t, keys.Close())
		_, err = v.Validate(t.Context(), raw)
		assert.ErrorIs(t, err, middleware.ErrKeysUnavailable)
	})
	t.Run("a source of the caller's own", func(t *testing.T) {
		w := newWorld(t)
		src := &counting{KeySource: w.iss.IssuerConfig().Keys}
		var refuse error
		w.cfg.Issuer.Keys = source(func(ctx context.Context, kid, alg string) ([]*jwks.Key, error) {
			if refuse != nil {
				return nil, refuse
			}
			return src.Lookup(ctx, kid, alg)
		})
		v := w.bearer(t).Validator()
		raw := w.iss.Token()
		for range 3 {
			_, err := v.Validate(t.Context(), raw)
			require.NoError(t, err)
		}
		assert.EqualValues(t, 3, src.n.Load(), "it is asked every time: it can't tell that it has dropped a key")
		refuse = jwks.ErrKeyNotFound
		_, err := v.Validate(t.Context(), raw)
		assert.Equal(t, middleware.ReasonUnknownKey, middleware.Reason(err))
		refuse = jwks.ErrUnavailable
		_, err = v.Validate(t.Context(), raw)
		assert.ErrorIs(t, err, middleware.ErrKeysUnavailable)
		refuse = nil
		_, err = v.Validate(t.Context(), raw)
		assert.NoError(t, err)
	})
}

// cached reports whether a token is cached once it was accepted.
func cached(t *testing.T, v *middleware.Validator, raw string) bool {
	_, err := v.Validate(t.Context(), raw)
	require.NoError(t, err)
	return v.IsCached(raw)
}

func TestWhichTokensAreCached(t *testing.T) {
	for _, row := range []struct {
		name  string
		given func(*middleware.Config)
		mods  []authtest.Mod
		want  bool
	}{
		{"the defaults", func(*middleware.Config) {}, nil, true},
		{"no bytes", func(c *middleware.Config) { c.CacheBytes = 0 }, nil, false},
		{"room for one", func(c *middleware.Config) { c.CacheBytes = 4000 }, nil, true},
		{"a token that is larger than the cache", func(c *middleware.Config) { c.CacheBytes = 3000 }, []authtest.Mod{authtest.Claim("pad", strings.Repeat("x", 3000))}, false},
		{"a token that is bound to a key", func(c *middleware.Config) { c.AllowUnprovenBinding = true }, []authtest.Mod{authtest.Claim("cnf", map[string]any{"jkt": "x"})}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			row.given(w.cfg)
			assert.Equal(t, row.want, cached(t, w.bearer(t).Validator(), w.iss.Token(row.mods...)))
		})
	}
}

// Check, OnEvent and the route's requirements have their say every time.
func TestCachedTokensAreCheckedAndReported(t *testing.T) {
	w := newWorld(t)
	var verdict error
	asked, told := 0, []string{}
	w.cfg.Check = func(context.Context, *middleware.Token) error { asked++; return verdict }
	w.cfg.OnEvent = func(_ context.Context, e middleware.Event) {
		assert.NotNil(t, e.Token)
		assert.Equal(t, w.iss.Name(), e.Issuer)
		told = append(told, e.Reason)
	}
	auth := w.bearer(t)
	r := w.iss.Request("GET", "/", authtest.Scope("read"))
	assert.Equal(t, 200, serve(auth.Require("read")(ok), r).Code)
	assert.Equal(t, 200, serve(auth.Require("read")(ok), r).Code)
	assert.Equal(t, 403, serve(auth.Require("write")(ok), r).Code)
	verdict = errors.New("revoked")
	assert.Equal(t, 401, serve(auth.Require("read")(ok), r).Code)
	verdict = nil
	assert.Equal(t, 200, serve(auth.Handler(ok), r).Code)
	assert.Equal(t, 5, asked)
	assert.Equal(t, []string{"accepted", "accepted", "insufficient_scope", "refused_by_check", "accepted"}, told)
}

// The whole token decides: nothing that differs from a cached token in one place is taken for it.
func TestOnlyTheSameTextIsACacheHit(t *testing.T) {
	{
		w := newWorld(t)
		v := w.bearer(t).Validator()
		good := w.iss.Token()
		_, err := v.Validate(t.Context(), good)
		require.NoError(t, err)
		for i := range good {
			c := byte('A')
			if good[i] == c {
				c = 'B'
			}
			_, err := v.Validate(t.Context(), good[:i]+string(c)+good[i+1:])
			require.ErrorIs(t, err, middleware.ErrInvalidToken, "character %d", i)
		}
		for _, near := range []string{good[1:], good[:len(good)-1], "A" + good, good + "A", good + "=", good + "\n", " " + good, strings.ToUpper(good)} {
			_, err := v.Validate(t.Context(), near)
			require.ErrorIs(t, err, middleware.ErrInvalidToken)
		}
	}
}

// A rejection is never cached: a token that was rejected for its key is validated again.
func TestRejectionsAreNotCached(t *testing.T) {
	w := newWorld(t)
	down := true
	keys := w.iss.IssuerConfig().Keys
	w.cfg.Issuer.Keys = source(func(ctx context.Context, kid, alg string) ([]*jwks.Key, error) {
		if down {
			return nil, jwks.ErrKeyNotFound
		}
		return keys.Lookup(ctx, kid, alg)
	})
	v := w.bearer(t).Validator()
	raw := w.iss.Token()
	_, err := v.Validate(t.Context(), raw)
	assert.ErrorIs(t, err, middleware.ErrInvalidToken)
	down = false
	_, err = v.Validate(t.Context(), raw)
	assert.NoError(t, err)
}

// Many at once, with a table that is too small: everybody gets his own token.
func TestConcurrentUseOfASmallCache(t *testing.T) {
	for _, bytes := range []int{10 << 10, 20 << 10, 64 << 10, 1 << 20} {
		w := newWorld(t)
		w.cfg.CacheBytes = bytes
		auth := w.bearer(t)
		var raws []string
		for i := range 60 {
			raws = append(raws, w.iss.Token(authtest.Subject(fmt.Sprint(i))))
		}
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 600 {
					n := (i*7 + g*13) % len(raws)
					tok, err := auth.Validator().Validate(context.Background(), raws[n])
					if err != nil || tok.Subject() != fmt.Sprint(n) {
						t.Errorf("token %d: %v %v", n, tok, err)
					}
				}
			})
		}
		wg.Wait()
		count, size, places := auth.Validator().CacheState()
		assert.LessOrEqual(t, size, bytes)
		assert.Equal(t, places, count, "every entry is counted")
		assert.Positive(t, count)
	}
}

// What appends to a cached token's slices writes to a copy, and the request that comes in is never changed.
func TestCachedTokensCannotBeChanged(t *testing.T) {
	w := newWorld(t)
	auth := w.bearer(t)
	raw := w.iss.Token(authtest.Scope("a", "b"), authtest.Audience("api1", "x"))
	tok, err := auth.Validator().Validate(t.Context(), raw)
	require.NoError(t, err)
	_, _ = append(tok.Scopes(), "admin"), append(tok.Audience(), "admin")
	again, err := auth.Validator().Validate(t.Context(), raw)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, again.Scopes()[:cap(again.Scopes())])
	assert.Equal(t, []string{"api1", "x"}, again.Audience()[:cap(again.Audience())])

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	before := *r
	serve(auth.Handler(ok), r)
	assert.Equal(t, before, *r)
}
