package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// Every refusal belongs to one class, wraps golang-jwt's own error, and has a reason.
func TestErrors(t *testing.T) {
	for _, row := range []struct {
		name   string
		mods   []authtest.Mod
		class  error
		causes []error
		reason string
	}{
		{"expired", []authtest.Mod{authtest.Expired}, middleware.ErrInvalidToken, []error{jwt.ErrTokenExpired, jwt.ErrTokenInvalidClaims}, middleware.ReasonExpired},
		{"not yet valid", []authtest.Mod{authtest.NotYetValid}, middleware.ErrInvalidToken, []error{jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidClaims}, middleware.ReasonNotYetValid},
		{"no exp", []authtest.Mod{authtest.Without("exp")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenRequiredClaimMissing, jwt.ErrTokenInvalidClaims}, middleware.ReasonNoExpiry},
		{"future iat", []authtest.Mod{authtest.Claim("iat", 4102444800), authtest.Without("nbf")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenUsedBeforeIssued}, middleware.ReasonIssuedInFuture},
		{"other audience", []authtest.Mod{authtest.Audience("x")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenInvalidAudience}, middleware.ReasonAudience},
		{"no audience", []authtest.Mod{authtest.Without("aud")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenInvalidAudience, jwt.ErrTokenRequiredClaimMissing}, middleware.ReasonAudience},
		{"other issuer", []authtest.Mod{authtest.IssuedBy("x")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenInvalidIssuer}, middleware.ReasonIssuer},
		{"unknown key", []authtest.Mod{authtest.Header("kid", "x")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenUnverifiable, jwks.ErrKeyNotFound}, middleware.ReasonUnknownKey},
		{"alg none", []authtest.Mod{authtest.Header("alg", "none")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenUnverifiable}, middleware.ReasonAlgorithm},
		{"wrong type", []authtest.Mod{authtest.Claim("exp", "1")}, middleware.ErrInvalidToken, []error{jwt.ErrTokenMalformed, jwt.ErrInvalidType}, middleware.ReasonMalformedClaim},
		{"crit", []authtest.Mod{authtest.Header("crit", []string{"x"})}, middleware.ErrInvalidToken, []error{jwt.ErrTokenUnverifiable}, middleware.ReasonCritical},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			tok, err := w.bearer(t).Validator().Validate(t.Context(), w.iss.Token(row.mods...))
			assert.Nil(t, tok)
			assert.ErrorIs(t, err, row.class)
			for _, cause := range row.causes {
				assert.ErrorIs(t, err, cause)
			}
			for _, class := range []error{middleware.ErrNoToken, middleware.ErrInvalidRequest, middleware.ErrInsufficientScope, middleware.ErrKeysUnavailable, middleware.ErrCheckUnavailable} {
				assert.NotErrorIs(t, err, class)
			}
			assert.Equal(t, row.reason, middleware.Reason(err))
			assert.True(t, strings.HasPrefix(err.Error(), "middleware: "), err.Error())
		})
	}
}

func TestReason(t *testing.T) {
	assert.Equal(t, "accepted", middleware.Reason(nil))
	assert.Equal(t, "unknown", middleware.Reason(errors.New("x")))
	assert.Equal(t, "no_token", middleware.Reason(middleware.ErrNoToken))
	assert.Equal(t, "keys_unavailable", middleware.Reason(middleware.ErrKeysUnavailable))
}

// The text of an error is for people: it says what, when and how far off, and quotes what is foreign, cut to length.
func TestErrorTexts(t *testing.T) {
	for _, row := range []struct {
		name  string
		given setting
		ask   asking
		want  string
	}{
		{"another audience", audiencesOnly("api1", "api2"), mint(authtest.Audience("urn:a", "urn:b")), `aud ["urn:a" "urn:b"] contains none of this server's ["api1" "api2"]`},
		{"many audiences", nil, mint(authtest.Audience("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")), `aud ["1" "2" "3" "4" "5" "6" "7" "8" and 2 more] contains none of this server's ["api1"]`},
		{"no audience", nil, mint(authtest.Without("aud")), `aud is missing, requires one of this server's ["api1"]`},
		{"another audience of the route", needsThat(middleware.Requirement{Audiences: []string{"api2"}}), mint(), `aud ["api1"] contains none of this route's ["api2"]`},
		{"another issuer", nil, mint(authtest.IssuedBy("https://x.test")), `issuer "https://x.test" is not configured (configured: ["https://issuer.test"])`},
		{"the issuer with a slash", nil, mint(authtest.IssuedBy("https://issuer.test/")), `issuer "https://issuer.test/" is not configured (configured: ["https://issuer.test"]; differs only by a trailing slash)`},
		{"the issuer by http", nil, mint(authtest.IssuedBy("http://issuer.test")), `issuer "http://issuer.test" is not configured (configured: ["https://issuer.test"]; differs only by the scheme)`},
		{"the issuer in capitals", nil, mint(authtest.IssuedBy("https://ISSUER.test")), `issuer "https://ISSUER.test" is not configured (configured: ["https://issuer.test"]; differs only by how the host is spelled)`},
		{"localhost for 127.0.0.1", with(func(c *middleware.Config) { c.Issuer.Name = "http://127.0.0.1:5000" }), mint(authtest.IssuedBy("http://localhost:5000")),
			`issuer "http://localhost:5000" is not configured (configured: ["http://127.0.0.1:5000"]; differs only by how the host is spelled)`},
		{"an issuer that is no URL", nil, mint(authtest.IssuedBy(":")), `issuer ":" is not configured (configured: ["https://issuer.test"])`},
		{"a missing scope", needs("api:write", "api:read"), mint(authtest.Scope("api:read")), `requires scope "api:write api:read", the token has "api:read"`},
		{"none of several scopes", needsThat(middleware.Requirement{AnyScope: []string{"a", "b"}}), mint(authtest.Without("scope")), `requires one of the scopes ["a" "b"], the token has none`},
		{"no acr", needsThat(middleware.Requirement{ACR: []string{"gold"}}), mint(), `acr is missing, requires one of ["gold"]`},
		{"another acr", needsThat(middleware.Requirement{ACR: []string{"gold"}}), mint(authtest.Claim("acr", "silver")), `acr is "silver", requires one of ["gold"]`},
		{"no auth_time", needsThat(middleware.Requirement{MaxAge: time.Minute}), mint(), `auth_time is missing, requires authentication within 1m0s`},
		{"an old login", needsThat(middleware.Requirement{MaxAge: time.Minute}), authenticated(time.Hour), `the user authenticated 1h0m0s ago, requires authentication within 1m0s`},
		{"an opaque token", nil, header("Bearer 0123456789abcdef"), `not a JWT: 1 segment instead of 3 (an opaque token?)`},
		{"an encrypted token", nil, header("Bearer a.b.c.d.e"), `not a JWT: 5 segments: an encrypted token`},
		{"a member twice", nil, body(`{"iss":"a","iss":"b"}`), `malformed payload: not one strict JSON object: duplicate member "iss"`},
		{"a claim in another case", nil, claiming(`"EXP":1`), `name of a registered claim in another case: "EXP"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			var got error
			w.route = func(b *middleware.Bearer) func(http.Handler) http.Handler { return b.Handler }
			w.cfg.OnEvent = func(_ context.Context, e middleware.Event) { got = e.Err }
			if row.given != nil {
				row.given(w)
			}
			serve(w.route(w.bearer(t))(ok), row.ask(w))
			assert.EqualError(t, got, "middleware: "+row.want)
		})
	}
	w := newWorld(t)
	v := w.bearer(t).Validator()
	_, err := v.Validate(t.Context(), w.iss.Token(authtest.IssuedBy(strings.Repeat("\n", 1000))))
	assert.Less(t, len(err.Error()), 500)
	assert.NotContains(t, err.Error(), "\n")
	_, err = v.Validate(t.Context(), w.iss.Token(authtest.Expired))
	assert.Contains(t, err.Error(), "token is expired: "+w.iss.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
}

// The boundary, by Validate, to the nanosecond.
func TestBoundary(t *testing.T) {
	for _, row := range []struct {
		name    string
		profile middleware.Profile
		skew    time.Duration
		after   time.Duration // after exp
		good    bool
	}{
		{"exp+skew-1ns", middleware.Default, time.Minute, time.Minute - 1, true},
		{"exp+skew", middleware.Default, time.Minute, time.Minute, false},
		{"skew 0, exp-1ns", middleware.Default, 0, -1, true},
		{"skew 0, exp", middleware.Default, 0, 0, false},
		{"RFC 9068, exp+skew-1ns", middleware.RFC9068, time.Minute, time.Minute - 1, true},
		{"RFC 9068, exp+skew", middleware.RFC9068, time.Minute, time.Minute, false},
		{"ASP.NET, exp+skew", middleware.ASPNET, 5 * time.Minute, 5 * time.Minute, true},
		{"ASP.NET, exp+skew+1ns", middleware.ASPNET, 5 * time.Minute, 5*time.Minute + 1, false},
		{"ASP.NET, skew 0, exp", middleware.ASPNET, 0, 0, true},
		{"ASP.NET, skew 0, exp+1ns", middleware.ASPNET, 0, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Issuer.Profile, w.cfg.ClockSkew = row.profile, row.skew
			raw := w.iss.Token(authtest.ExpiresIn(time.Hour))
			w.iss.Advance(time.Hour + row.after)
			_, err := w.bearer(t).Validator().Validate(t.Context(), raw)
			if row.good {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, jwt.ErrTokenExpired)
			}
		})
	}
}

// Everything that is read of a token.
func TestToken(t *testing.T) {
	w := newWorld(t)
	now := w.iss.Now().UTC()
	tok, err := w.bearer(t).Validator().Validate(t.Context(), w.iss.Token(
		authtest.Audience("api1", "api2"), authtest.Scope("read", "write"), authtest.Claim("scp", []string{"more"}),
		authtest.Claim("auth_time", now.Unix()-5), authtest.Claim("acr", "gold"), authtest.Claim("jti", "j"),
		authtest.Claim("exp", json.RawMessage("32503680000.25"))))
	require.NoError(t, err)
	assert.Equal(t, "https://issuer.test", tok.Issuer())
	assert.Equal(t, "alice", tok.Subject())
	assert.Equal(t, "client", tok.ClientID())
	assert.Equal(t, "j", tok.ID())
	assert.Equal(t, []string{"api1", "api2"}, tok.Audience())
	assert.Equal(t, []string{"read", "write", "more"}, tok.Scopes())
	assert.Equal(t, now, tok.IssuedAt())
	assert.Equal(t, now, tok.NotBefore())
	assert.Equal(t, time.Date(3000, 1, 1, 0, 0, 0, 25e7, time.UTC), tok.Expiry())
	assert.Equal(t, now.Add(-5*time.Second), tok.AuthTime())
	assert.Equal(t, "gold", tok.ACR())
	assert.Equal(t, "at+jwt", tok.Type())
	assert.Equal(t, "ES256", tok.Algorithm())
	assert.Equal(t, w.iss.KeyID(), tok.KeyID())

	tok, err = w.bearer(t).Validator().Validate(t.Context(), w.iss.Token(authtest.Without("client_id"), authtest.Claim("azp", "party")))
	require.NoError(t, err)
	assert.Equal(t, "party", tok.ClientID(), "azp stands in for client_id")
}

// Nothing unauthenticated reaches the network before everything that can be checked without it was checked.
func TestCheapChecksComeFirst(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	w.cfg.Issuer.Keys = source(func(context.Context, string, string) ([]*jwks.Key, error) {
		asked.Add(1)
		return nil, jwks.ErrUnavailable
	})
	v := w.bearer(t).Validator()
	w.iss.PublishWeakKeys()
	late := map[string]bool{middleware.ReasonUnknownKey: true, middleware.ReasonInvalidSignature: true, middleware.ReasonUnfitKey: true}
	for _, bad := range w.iss.BadTokens() {
		before := asked.Load()
		_, err := v.Validate(t.Context(), bad.Token)
		if late[bad.Reason] {
			assert.ErrorIs(t, err, middleware.ErrKeysUnavailable, bad.Name)
			continue
		}
		assert.Equal(t, bad.Reason, middleware.Reason(err), bad.Name)
		assert.Equal(t, before, asked.Load(), "%s: the keys were looked up", bad.Name)
	}
}

// Without keys the answer is 503, whatever the token, until the issuer is back.
func TestOutageAndRecovery(t *testing.T) {
	w := newWorld(t)
	w.iss.Outage(true)
	auth := w.bearer(t)
	assert.ErrorIs(t, auth.Ready(t.Context()), middleware.ErrKeysUnavailable)
	_, err := auth.Validator().Validate(t.Context(), w.iss.Token())
	assert.ErrorIs(t, err, middleware.ErrKeysUnavailable)
	assert.NotErrorIs(t, err, middleware.ErrInvalidToken)
	assert.ErrorIs(t, err, jwks.ErrUnavailable)
}

func TestReady(t *testing.T) {
	w := newWorld(t)
	w.cfg.MoreIssuers = []middleware.Issuer{w.iss2(t).IssuerConfig()}
	auth := w.bearer(t)
	assert.NoError(t, auth.Ready(t.Context()))

	w = newWorld(t)
	other := w.iss2(t)
	other.Outage(true)
	w.cfg.MoreIssuers = []middleware.Issuer{other.IssuerConfig()}
	err := w.bearer(t).Ready(t.Context())
	assert.ErrorIs(t, err, middleware.ErrKeysUnavailable)
	assert.ErrorContains(t, err, "https://other.test")
	assert.NotContains(t, err.Error(), "https://issuer.test")

	w = newWorld(t)
	w.cfg.Issuer.Keys = source(nil) // a source without Ready
	assert.NoError(t, w.bearer(t).Ready(t.Context()))
}

// A cancelled caller gets neither 401 nor anything that says that the token is bad.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	w.cfg.Issuer.Keys = source(func(ctx context.Context, _, _ string) ([]*jwks.Key, error) { <-ctx.Done(); return nil, ctx.Err() })
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errElse)
	_, err := w.bearer(t).Validator().Validate(ctx, w.iss.Token())
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, middleware.ErrKeysUnavailable)
	assert.NotErrorIs(t, err, middleware.ErrInvalidToken)
	assert.Equal(t, middleware.ReasonCancelled, middleware.Reason(err))
}

// A token without kid is tried against no more than a few keys.
func TestKeysTriedAreBounded(t *testing.T) {
	w := newWorld(t)
	crowd := make([]*jwks.Key, 8)
	for i := range crowd {
		crowd[i] = newKey(t)
	}
	w.cfg.Issuer.Keys = source(func(ctx context.Context, kid, alg string) ([]*jwks.Key, error) {
		right, err := w.iss.IssuerConfig().Keys.Lookup(ctx, kid, alg)
		return append(crowd, right...), err
	})
	_, err := w.bearer(t).Validator().Validate(t.Context(), w.iss.Token(authtest.Header("kid", nil)))
	assert.Equal(t, middleware.ReasonInvalidSignature, middleware.Reason(err))
	crowd = crowd[:7]
	_, err = w.bearer(t).Validator().Validate(t.Context(), w.iss.Token(authtest.Header("kid", nil)))
	assert.NoError(t, err)
}

// One Validator serves many goroutines, while keys rotate.
func TestConcurrency(t *testing.T) {
	w := newWorld(t)
	v := w.bearer(t).Validator()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 40 {
				if i == 20 {
					w.iss.Rotate()
				}
				_, err := v.Validate(context.Background(), w.iss.Token(authtest.Scope("a")))
				if err != nil {
					assert.Equal(t, middleware.ReasonUnknownKey, middleware.Reason(err), "only a rotation too many within the fetch budget")
				}
				_, err = v.Validate(context.Background(), w.iss.Token(authtest.Expired))
				assert.ErrorIs(t, err, jwt.ErrTokenExpired)
			}
		})
	}
	group.Wait()
}

// RoundTripFunc is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Constructors do no I/O; the first good token does, and bad ones do not.
func TestNoRequestBeforeItIsNeeded(t *testing.T) {
	w := newWorld(t)
	var requests atomic.Int32
	inner := w.iss.Client().Transport
	w.cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		requests.Add(1)
		return inner.RoundTrip(r)
	})}
	v := w.bearer(t).Validator()
	for _, m := range []authtest.Mod{authtest.Expired, authtest.Audience("x"), authtest.IssuedBy("x"), authtest.Header("alg", "none")} {
		_, err := v.Validate(t.Context(), w.iss.Token(m))
		assert.ErrorIs(t, err, middleware.ErrInvalidToken)
	}
	assert.Zero(t, requests.Load())
	_, err := v.Validate(t.Context(), w.iss.Token())
	assert.NoError(t, err)
	assert.NotZero(t, requests.Load())
}
