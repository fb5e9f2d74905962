package authtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

func newValidator(t *testing.T, cfg *middleware.Config) *middleware.Validator {
	v, err := middleware.NewValidator(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// parts parses a token without validating it.
func parts(t *testing.T, token string) (header, claims map[string]any) {
	tok, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	require.NoError(t, err)
	return tok.Header, tok.Claims.(jwt.MapClaims)
}

// A token without mods has all claims that RFC 9068 requires.
func TestToken(t *testing.T) {
	iss := authtest.NewIssuer(t)
	header, claims := parts(t, iss.Token())
	assert.Equal(t, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": iss.KeyID()}, header)
	now := float64(iss.Now().Unix())
	assert.Equal(t, map[string]any{"iss": "https://issuer.test", "sub": "alice", "client_id": "client", "aud": "api1",
		"iat": now, "nbf": now, "exp": now + 300, "jti": claims["jti"]}, claims)
	_, again := parts(t, iss.Token())
	assert.NotEqual(t, claims["jti"], again["jti"])

	cfg := iss.Config()
	cfg.Issuer.Profile = middleware.RFC9068
	_, err := newValidator(t, cfg).Validate(t.Context(), iss.Token())
	assert.NoError(t, err)
}

func TestMods(t *testing.T) {
	iss := authtest.NewIssuer(t)
	now := iss.Now().Unix()
	for _, row := range []struct {
		name   string
		mod    authtest.Mod
		header map[string]any // nil means absent
		claims map[string]any
	}{
		{"Expired", authtest.Expired, nil, map[string]any{"exp": float64(now - 3600), "iat": float64(now - 7200), "nbf": float64(now - 7200)}},
		{"NotYetValid", authtest.NotYetValid, nil, map[string]any{"nbf": float64(now + 1800), "exp": float64(now + 3600)}},
		{"ExpiresIn", authtest.ExpiresIn(time.Hour), nil, map[string]any{"exp": float64(now + 3600)}},
		{"Without", authtest.Without("sub"), nil, map[string]any{"sub": nil}},
		{"Claim", authtest.Claim("a", []int{1}), nil, map[string]any{"a": []any{1.0}}},
		{"Claim, raw", authtest.Claim("exp", json.RawMessage("1.50e3")), nil, map[string]any{"exp": 1500.0}},
		{"Header", authtest.Header("typ", "JWT"), map[string]any{"typ": "JWT"}, nil},
		{"Header, without", authtest.Header("kid", nil), map[string]any{"kid": nil}, nil},
		{"IssuedBy", authtest.IssuedBy("x"), nil, map[string]any{"iss": "x"}},
		{"Subject", authtest.Subject("bob"), nil, map[string]any{"sub": "bob"}},
		{"Audience", authtest.Audience("a"), nil, map[string]any{"aud": "a"}},
		{"Audience of two", authtest.Audience("a", "b"), nil, map[string]any{"aud": []any{"a", "b"}}},
		{"Scope", authtest.Scope("a", "b"), nil, map[string]any{"scope": "a b"}},
		{"Algorithm", authtest.Algorithm("EdDSA"), map[string]any{"alg": "EdDSA"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			header, claims := parts(t, iss.Token(row.mod))
			for name, value := range row.header {
				assert.Equal(t, value, header[name], name)
			}
			for name, value := range row.claims {
				assert.Equal(t, value, claims[name], name)
			}
		})
	}
}

// The mods of NewIssuer apply to every token, before those of the token.
func TestModsOfIssuer(t *testing.T) {
	iss := authtest.NewIssuer(t, authtest.IssuedBy("https://as.test/tenant"), authtest.Algorithm("EdDSA"), authtest.Scope("a"), authtest.Subject("carol"))
	assert.Equal(t, "https://as.test/tenant", iss.Name())
	header, claims := parts(t, iss.Token(authtest.Scope("b")))
	assert.Equal(t, "EdDSA", header["alg"])
	assert.Equal(t, "carol", claims["sub"])
	assert.Equal(t, "b", claims["scope"])
	_, err := newValidator(t, iss.Config()).Validate(t.Context(), iss.Token())
	assert.NoError(t, err)
}

// Tokens of every supported algorithm are accepted.
func TestAlgorithms(t *testing.T) {
	for alg := range strings.FieldsSeq("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA") {
		iss := authtest.NewIssuer(t, authtest.Algorithm(alg))
		_, err := newValidator(t, iss.Config()).Validate(t.Context(), iss.Token())
		assert.NoError(t, err, alg)
	}
}

func TestRotateAndRemoveOldKeys(t *testing.T) {
	iss := authtest.NewIssuer(t)
	v := newValidator(t, iss.Config())
	old, kid := iss.Token(), iss.KeyID()
	iss.Rotate()
	assert.NotEqual(t, kid, iss.KeyID())
	for _, token := range []string{old, iss.Token()} {
		_, err := v.Validate(t.Context(), token)
		assert.NoError(t, err)
	}
	iss.RemoveOldKeys()
	fresh := newValidator(t, iss.Config())
	_, err := fresh.Validate(t.Context(), old)
	assert.Equal(t, middleware.ReasonUnknownKey, middleware.Reason(err))
	_, err = fresh.Validate(t.Context(), iss.Token())
	assert.NoError(t, err)
}

// The issuer can run on a real listener.
func TestServeHTTP(t *testing.T) {
	var iss *authtest.Issuer
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { iss.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	iss = authtest.NewIssuer(t, authtest.IssuedBy(srv.URL))
	cfg := iss.Config()
	cfg.HTTPClient = nil
	_, err := newValidator(t, cfg).Validate(t.Context(), iss.Token())
	assert.NoError(t, err)

	iss.Outage(true)
	resp, err := http.Get(srv.URL + "/jwks.json")
	require.NoError(t, err)
	assert.Equal(t, 503, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

// The client reaches this issuer and nothing else, and honours its context.
func TestClient(t *testing.T) {
	iss := authtest.NewIssuer(t)
	resp, err := iss.Client().Get("https://issuer.test/jwks.json")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Contains(t, string(body), iss.KeyID())
	assert.NotContains(t, string(body), `"d"`, "no private member")

	for _, url := range []string{"https://other.test/jwks.json", "https://issuer.test.evil.test/jwks.json"} {
		resp, err = iss.Client().Get(url)
		require.NoError(t, err)
		assert.Equal(t, 502, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	resp, err = iss.Client().Get("https://issuer.test/elsewhere")
	require.NoError(t, err)
	assert.Equal(t, 404, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

// TokenOf signs any text.
func TestTokenOf(t *testing.T) {
	iss := authtest.NewIssuer(t)
	v := newValidator(t, iss.Config())
	header := `{"alg":"ES256","kid":"` + iss.KeyID() + `"}`
	_, err := v.Validate(t.Context(), iss.TokenOf(header, `{"iss":"https://issuer.test","aud":"api1","exp":32503680000}`))
	assert.NoError(t, err)
	_, err = v.Validate(t.Context(), iss.TokenOf(header, `not JSON`))
	assert.Equal(t, middleware.ReasonMalformedPayload, middleware.Reason(err))
}

// One Config can have several issuers.
func TestMoreIssuers(t *testing.T) {
	a, b := authtest.NewIssuer(t), authtest.NewIssuer(t, authtest.IssuedBy("https://b.test"), authtest.Algorithm("ES384"))
	cfg := a.Config()
	cfg.MoreIssuers = []middleware.Issuer{b.IssuerConfig()}
	v := newValidator(t, cfg)
	for _, iss := range []*authtest.Issuer{a, b} {
		tok, err := v.Validate(t.Context(), iss.Token())
		require.NoError(t, err)
		assert.Equal(t, iss.Name(), tok.Issuer())
	}
}

// Without a testing.TB, errors panic.
func TestWithoutTB(t *testing.T) {
	iss := authtest.NewIssuer(nil)
	assert.PanicsWithValue(t, "authtest: json: unsupported type: func()", func() { iss.Token(authtest.Claim("f", func() {})) })
	assert.PanicsWithValue(t, `authtest: algorithm "HS256" is not supported`, func() { iss.Token(authtest.Algorithm("HS256")) })
}
