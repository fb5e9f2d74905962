package middleware_test

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

func TestDefaults(t *testing.T) {
	cfg := middleware.NewConfig("https://issuer.test", "api1", "api2")
	assert.Equal(t, "https://issuer.test", cfg.Name)
	assert.Equal(t, []string{"api1", "api2"}, cfg.Audiences)
	assert.Equal(t, []string{"RS256", "PS256", "ES256", "EdDSA"}, cfg.Algorithms)
	assert.Equal(t, []string{"scope", "scp"}, cfg.ScopeClaims)
	assert.Equal(t, middleware.Default, cfg.Profile)
	assert.Equal(t, time.Minute, cfg.ClockSkew)
	assert.True(t, cfg.RequireExpirationTime)
	assert.True(t, cfg.DescribeErrors)
	assert.True(t, cfg.JSONBody)
	assert.Equal(t, 16384, cfg.MaxTokenSize)
	assert.Equal(t, 5*time.Second, cfg.RetryAfter)
	assert.False(t, cfg.Optional || cfg.AllowForm || cfg.AllowQuery || cfg.AllowPreflight || cfg.AllowInsecureHTTP ||
		cfg.AllowUnprovenBinding || cfg.CheckFailOpen, "what weakens is off")
	assert.Empty(t, cfg.Cookie)
}

// A Config can't be compared nor written without names of fields, so that fields can be added.
func TestConfigCanGrow(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[middleware.Config](), reflect.TypeFor[middleware.Issuer]()} {
		assert.False(t, typ.Comparable(), typ)
		hidden := false
		for i := range typ.NumField() {
			hidden = hidden || !typ.Field(i).IsExported()
		}
		assert.True(t, hidden, "%v has a field that others can't set", typ)
	}
}

// A wrong configuration is refused by the constructors, each problem named.
func TestProblems(t *testing.T) {
	set, err := jwks.NewSet(newKey(t))
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		change func(*middleware.Config)
		text   string // "" when it is none
	}{
		{"nothing changed", func(c *middleware.Config) {}, ""},
		{"no issuer", func(c *middleware.Config) { c.Name = "" }, `issuer 1: no name`},
		{"an issuer that is no URL", func(c *middleware.Config) { c.Name = "issuer" }, `issuer "issuer": name: not an absolute https URL`},
		{"an issuer that is no URL, but has keys", func(c *middleware.Config) { c.Name = "issuer"; c.Keys = set }, ``},
		{"an issuer by http", func(c *middleware.Config) { c.Name = "http://issuer.test" }, `name: http on a host that is not loopback, without AllowInsecureHTTP`},
		{"an issuer by http, with keys", func(c *middleware.Config) { c.Name = "http://issuer.test"; c.Keys = set }, `http on a host that is not loopback`},
		{"an issuer by http, said aloud", func(c *middleware.Config) { c.Name = "http://issuer.test"; c.AllowInsecureHTTP = true }, ``},
		{"an issuer on 127.0.0.1", func(c *middleware.Config) { c.Name = "http://127.0.0.1:5000" }, ``},
		{"an issuer on ::1", func(c *middleware.Config) { c.Name = "http://[::1]:5000" }, ``},
		{"an issuer on localhost", func(c *middleware.Config) { c.Name = "http://localhost:5000" }, ``},
		{"an issuer on a host that only begins so", func(c *middleware.Config) { c.Name = "http://localhost.evil.test" }, `not loopback`},
		{"an issuer on a host that begins with 127.0.0.1", func(c *middleware.Config) { c.Name = "http://127.0.0.1.evil.test" }, `not loopback`},
		{"an issuer by ftp", func(c *middleware.Config) { c.Name = "ftp://issuer.test" }, `not an absolute https URL`},
		{"an issuer with a fragment", func(c *middleware.Config) { c.Name = "https://issuer.test#x" }, `a user or a fragment`},
		{"an issuer with a query", func(c *middleware.Config) { c.Name = "https://issuer.test?x" }, `URL has a query`},
		{"an issuer with a password", func(c *middleware.Config) { c.Name = "https://u:p@issuer.test" }, `a user or a fragment`},
		{"no audience", func(c *middleware.Config) { c.Audiences = nil }, `no audience`},
		{"an empty audience", func(c *middleware.Config) { c.Audiences = []string{"a", ""} }, `empty audience`},
		{"negative skew", func(c *middleware.Config) { c.ClockSkew = -1 }, `ClockSkew: -1ns is negative`},
		{"skew 0", func(c *middleware.Config) { c.ClockSkew = 0 }, ``},
		{"no algorithm", func(c *middleware.Config) { c.Algorithms = nil }, `no algorithm`},
		{"algorithm none", func(c *middleware.Config) { c.Algorithms = []string{"none"} }, `algorithm "none" is never accepted`},
		{"algorithm None", func(c *middleware.Config) { c.Algorithms = []string{"None"} }, `algorithm "None" is never accepted`},
		{"algorithm HS256", func(c *middleware.Config) { c.Algorithms = []string{"RS256", "HS256"} }, `algorithm "HS256" is never accepted`},
		{"algorithm HS512", func(c *middleware.Config) { c.Algorithms = []string{"HS512"} }, `algorithm "HS512" is never accepted`},
		{"algorithm RS257", func(c *middleware.Config) { c.Algorithms = []string{"RS257"} }, `algorithm "RS257" is unknown`},
		{"algorithm rs256", func(c *middleware.Config) { c.Algorithms = []string{"rs256"} }, `algorithm "rs256" is unknown`},
		{"every algorithm there is", func(c *middleware.Config) {
			c.Algorithms = strings.Fields("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA")
		}, ``},
		{"no type at all", func(c *middleware.Config) { c.Types = []string{} }, `Types is empty and not nil`},
		{"a type that RFC 9068 does not have", func(c *middleware.Config) { c.Profile = middleware.RFC9068; c.Types = []string{"JWT"} }, `Types must be at+jwt or nil`},
		{"a profile that nobody knows", func(c *middleware.Config) { c.Profile = 99 }, `profile 99 is unknown`},
		{"a negative age", func(c *middleware.Config) { c.MaxTokenAge = -1 }, `MaxTokenAge -1ns is negative`},
		{"a size of 0", func(c *middleware.Config) { c.MaxTokenSize = 0 }, `MaxTokenSize: 0 is not positive`},
		{"a negative number of remembered tokens", func(c *middleware.Config) { c.CacheEntries = -1 }, `CacheEntries: -1 is negative`},
		{"a negative size of what is remembered", func(c *middleware.Config) { c.CacheBytes = -1 }, `CacheBytes: -1 is negative`},
		{"nothing remembered", func(c *middleware.Config) { c.CacheEntries = 0; c.CacheBytes = 0 }, ``},
		{"as many remembered tokens as there are numbers", func(c *middleware.Config) { c.CacheEntries = math.MaxInt }, ``},
		{"as much memory as there are numbers", func(c *middleware.Config) { c.CacheBytes = math.MaxInt }, ``},
		{"more remembered tokens than fit into a table", func(c *middleware.Config) { c.CacheEntries, c.CacheBytes = math.MaxInt, math.MaxInt }, `more than the 67108864 that a table is made for`},
		{"a negative number of verifications", func(c *middleware.Config) { c.MaxVerifications = -1 }, `MaxVerifications: -1 is negative`},
		{"an empty required claim", func(c *middleware.Config) { c.RequiredClaims = []string{""} }, `empty name in RequiredClaims`},
		{"an empty scope claim", func(c *middleware.Config) { c.ScopeClaims = []string{""} }, `neither a name nor a JSON Pointer`},
		{"a broken JSON Pointer", func(c *middleware.Config) { c.ScopeClaims = []string{"/a~2"} }, `neither a name nor a JSON Pointer`},
		{"keys and an address of keys", func(c *middleware.Config) { c.Keys = set; c.KeySetURL = "https://issuer.test/keys" }, `both Keys and KeySetURL`},
		{"an address of keys by http", func(c *middleware.Config) { c.KeySetURL = "http://issuer.test/keys" }, `KeySetURL: http on a host that is not loopback`},
		{"another issuer twice", func(c *middleware.Config) {
			c.Others = []middleware.Issuer{middleware.NewIssuer("https://issuer.test", "a")}
		}, `issuer "https://issuer.test": given twice`},
		{"another issuer without an audience", func(c *middleware.Config) {
			c.Others = []middleware.Issuer{middleware.NewIssuer("https://other.test")}
		}, `issuer "https://other.test": no audience`},
		{"another issuer not made by NewIssuer", func(c *middleware.Config) {
			c.Others = []middleware.Issuer{{Name: "https://other.test"}}
		}, `issuer "https://other.test": not made by NewIssuer`},
		{"a realm with a line break", func(c *middleware.Config) { c.Realm = "a\r\nb" }, `Realm: "a\r\nb" has characters`},
		{"an audience that can't be a realm", func(c *middleware.Config) { c.Audiences = []string{"é"} }, `Realm: empty, and the first audience`},
		{"an audience that can't be a realm, and a realm", func(c *middleware.Config) { c.Audiences = []string{"é"}; c.Realm = "e" }, ``},
		{"a cookie that is none", func(c *middleware.Config) { c.Cookie = "a b" }, `Cookie: "a b" is not the name of a cookie`},
		{"a challenge with a line break", func(c *middleware.Config) { c.Challenges = []string{"Basic\n"} }, `Challenges: "Basic\n" is not a challenge`},
		{"an empty challenge", func(c *middleware.Config) { c.Challenges = []string{""} }, `Challenges: "" is not a challenge`},
		{"a negative wait", func(c *middleware.Config) { c.RetryAfter = -1 }, `RetryAfter: -1ns is negative`},
		{"a resource by http", func(c *middleware.Config) { c.Resource = "http://api.test" }, `Resource: http on a host that is not loopback`},
		{"a resource that is no URL", func(c *middleware.Config) { c.Resource = "api1" }, `Resource: not an absolute https URL`},
		{"a resource with a fragment", func(c *middleware.Config) { c.Resource = "https://api.test#x" }, `Resource: URL has a user or a fragment`},
		{"metadata without a resource", func(c *middleware.Config) { c.ResourceMetadata = map[string]any{"a": 1} }, `ResourceMetadata: without Resource`},
		{"metadata that names the resource", func(c *middleware.Config) {
			c.Resource = "https://api.test"
			c.ResourceMetadata = map[string]any{"resource": "x"}
		}, `ResourceMetadata: resource can't be set here`},
		{"metadata that is no JSON", func(c *middleware.Config) {
			c.Resource = "https://api.test"
			c.ResourceMetadata = map[string]any{"x": func() {}}
		}, `ResourceMetadata: json`},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := middleware.NewConfig("https://issuer.test", "api1")
			row.change(cfg)
			auth, err := middleware.New(cfg)
			if row.text == "" {
				require.NoError(t, err)
				assert.NoError(t, auth.Close())
				return
			}
			assert.Nil(t, auth)
			require.Error(t, err)
			assert.Contains(t, err.Error(), "middleware: config: ")
			assert.Contains(t, err.Error(), row.text)
		})
	}
}

// All problems are named at once, those of both constructors.
func TestAllProblemsAtOnce(t *testing.T) {
	cfg := middleware.NewConfig("http://issuer.test")
	cfg.ClockSkew = -time.Second
	cfg.Algorithms = []string{"none", "HS256", "XS256"}
	cfg.Others = []middleware.Issuer{middleware.NewIssuer("")}
	cfg.Realm = "\n"
	cfg.RetryAfter = -1
	_, err := middleware.New(cfg)
	require.Error(t, err)
	for _, text := range []string{"AllowInsecureHTTP", "no audience", "ClockSkew", `"none"`, `"HS256"`, `"XS256"`, "issuer 2: no name", "Realm", "RetryAfter"} {
		assert.Contains(t, err.Error(), text)
	}
	assert.Equal(t, 10, strings.Count(err.Error(), "middleware: config: "))
}

func TestOnlyMadeConfigs(t *testing.T) {
	for _, cfg := range []*middleware.Config{nil, {}, {Issuer: middleware.NewIssuer("https://issuer.test", "api1")}} {
		_, err := middleware.New(cfg)
		assert.ErrorContains(t, err, "not made by NewConfig")
		_, err = middleware.NewValidator(cfg)
		assert.ErrorContains(t, err, "not made by NewConfig")
	}
}

// The constructors copy the Config, whole.
func TestLaterChangesHaveNoEffect(t *testing.T) {
	w := newWorld(t)
	v, err := middleware.NewValidator(w.cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Close() })
	w.cfg.Audiences[0], w.cfg.Algorithms[0], w.cfg.Algorithms[2] = "x", "x", "x"
	w.cfg.ClockSkew = -1
	w.cfg.Check = func(context.Context, *middleware.Token) error { return errRevoked }
	_, err = v.Validate(t.Context(), w.iss.Token())
	assert.NoError(t, err)
}
