package middleware_test

import (
	"context"
	"fmt"
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
	assert.Equal(t, "https://issuer.test", cfg.Issuer.Name)
	assert.Equal(t, []string{"api1", "api2"}, cfg.Issuer.Audiences)
	assert.Equal(t, []string{"RS256", "PS256", "ES256", "EdDSA"}, cfg.Issuer.Algorithms)
	assert.Equal(t, []string{"scope", "scp"}, cfg.Issuer.ScopeClaims)
	assert.Equal(t, middleware.Default, cfg.Issuer.Profile)
	assert.Equal(t, time.Minute, cfg.ClockSkew)
	assert.True(t, cfg.RequireExpirationTime)
	assert.True(t, cfg.DescribeErrors)
	assert.Equal(t, 32<<20, cfg.CacheBytes)
	assert.Equal(t, middleware.StyleRFC6750, cfg.Style)
	assert.Equal(t, 16384, cfg.MaxTokenSize)
	assert.False(t, cfg.Optional || cfg.AllowInsecureHTTP || cfg.AllowUnprovenBinding, "what weakens is off")
	assert.Nil(t, cfg.Credentials, "the Authorization header alone")
}

// A Config can't be compared nor written without names of fields, so that fields can be added.
func TestConfigCanGrow(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[middleware.Config](), reflect.TypeFor[middleware.Issuer]()} {
		assert.False(t, typ.Comparable(), typ)
		hidden := false
		for field := range typ.Fields() {
			hidden = hidden || !field.IsExported()
		}
		assert.True(t, hidden, "%v has a field that others can't set", typ)
	}
}

// A wrong configuration is refused by the constructors, each problem named.
func TestConfigErrors(t *testing.T) {
	set, err := jwks.NewSet(newKey(t))
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		change func(*middleware.Config)
		text   string // "" when it is none
	}{
		{"nothing changed", func(c *middleware.Config) {}, ""},
		{"no issuer", func(c *middleware.Config) { c.Issuer.Name = "" }, `issuer 1: the issuer is empty`},
		{"an issuer that is no URL", func(c *middleware.Config) { c.Issuer.Name = "issuer" }, `issuer "issuer": name: not an absolute URL`},
		{"an issuer that is no URL, but has keys", func(c *middleware.Config) { c.Issuer.Name = "issuer"; c.Issuer.Keys = set }, ``},
		{"an issuer by http", func(c *middleware.Config) { c.Issuer.Name = "http://issuer.test" }, `name: http on a host that is not loopback: use https, or set AllowInsecureHTTP`},
		{"an issuer by http, with keys", func(c *middleware.Config) { c.Issuer.Name = "http://issuer.test"; c.Issuer.Keys = set }, `http on a host that is not loopback`},
		{"an issuer by http, spelled out", func(c *middleware.Config) { c.Issuer.Name = "http://issuer.test"; c.AllowInsecureHTTP = true }, ``},
		{"an issuer on 127.0.0.1", func(c *middleware.Config) { c.Issuer.Name = "http://127.0.0.1:5000" }, ``},
		{"an issuer on ::1", func(c *middleware.Config) { c.Issuer.Name = "http://[::1]:5000" }, ``},
		{"an issuer on localhost", func(c *middleware.Config) { c.Issuer.Name = "http://localhost:5000" }, ``},
		{"an issuer on a host that only begins so", func(c *middleware.Config) { c.Issuer.Name = "http://localhost.evil.test" }, `not loopback`},
		{"an issuer on a host that begins with 127.0.0.1", func(c *middleware.Config) { c.Issuer.Name = "http://127.0.0.1.evil.test" }, `not loopback`},
		{"an issuer by ftp", func(c *middleware.Config) { c.Issuer.Name = "ftp://issuer.test" }, `the scheme is "ftp", not https`},
		{"an issuer with a fragment", func(c *middleware.Config) { c.Issuer.Name = "https://issuer.test#x" }, `the URL has a fragment`},
		{"an issuer with a query", func(c *middleware.Config) { c.Issuer.Name = "https://issuer.test?x" }, `URL has a query`},
		{"an issuer with a password", func(c *middleware.Config) { c.Issuer.Name = "https://u:p@issuer.test" }, `the URL has a user or a password`},
		{"no audience", func(c *middleware.Config) { c.Issuer.Audiences = nil }, `no audience`},
		{"an empty audience", func(c *middleware.Config) { c.Issuer.Audiences = []string{"a", ""} }, `an audience is empty`},
		{"negative skew", func(c *middleware.Config) { c.ClockSkew = -1 }, `ClockSkew: -1ns is negative`},
		{"skew 0", func(c *middleware.Config) { c.ClockSkew = 0 }, ``},
		{"no algorithm", func(c *middleware.Config) { c.Issuer.Algorithms = nil }, `no algorithm`},
		{"algorithm none", func(c *middleware.Config) { c.Issuer.Algorithms = []string{"none"} }, `algorithm "none" is never accepted`},
		{"algorithm None", func(c *middleware.Config) { c.Issuer.Algorithms = []string{"None"} }, `algorithm "None" is never accepted`},
		{"algorithm HS256", func(c *middleware.Config) { c.Issuer.Algorithms = []string{"RS256", "HS256"} }, `algorithm "HS256" is never accepted`},
		{"algorithm HS512", func(c *middleware.Config) { c.Issuer.Algorithms = []string{"HS512"} }, `algorithm "HS512" is never accepted`},
		{"algorithm RS257", func(c *middleware.Config) { c.Issuer.Algorithms = []string{"RS257"} }, `algorithm "RS257" is unknown`},
		{"algorithm rs256", func(c *middleware.Config) { c.Issuer.Algorithms = []string{"rs256"} }, `algorithm "rs256" is unknown`},
		{"every algorithm there is", func(c *middleware.Config) {
			c.Issuer.Algorithms = strings.Fields("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA")
		}, ``},
		{"no type at all", func(c *middleware.Config) { c.Issuer.Types = []string{} }, `Types is empty and not nil`},
		{"a type that RFC 9068 does not have", func(c *middleware.Config) { c.Issuer.Profile = middleware.RFC9068; c.Issuer.Types = []string{"JWT"} }, `Types must be nil or at+jwt`},
		{"a profile that nobody knows", func(c *middleware.Config) { c.Issuer.Profile = 99 }, `profile 99 is unknown`},
		{"a negative age", func(c *middleware.Config) { c.Issuer.MaxTokenAge = -1 }, `MaxTokenAge -1ns is negative`},
		{"a size of 0", func(c *middleware.Config) { c.MaxTokenSize = 0 }, `MaxTokenSize: 0 is not positive`},
		{"a negative cache", func(c *middleware.Config) { c.CacheBytes = -1 }, `CacheBytes: -1 is not between 0 and 68719476736`},
		{"no cache", func(c *middleware.Config) { c.CacheBytes = 0 }, ``},
		{"as large a cache as there are numbers", func(c *middleware.Config) { c.CacheBytes = math.MaxInt }, `is not between 0 and 68719476736`},
		{"a negative number of verifications", func(c *middleware.Config) { c.MaxVerifications = -1 }, `MaxVerifications: -1 is negative`},
		{"an empty required claim", func(c *middleware.Config) { c.Issuer.RequiredClaims = []string{""} }, `RequiredClaims: a name is empty`},
		{"an empty scope claim", func(c *middleware.Config) { c.Issuer.ScopeClaims = []string{""} }, `neither a name nor a JSON Pointer`},
		{"a broken JSON Pointer", func(c *middleware.Config) { c.Issuer.ScopeClaims = []string{"/a~2"} }, `neither a name nor a JSON Pointer`},
		{"keys and an address of keys", func(c *middleware.Config) { c.Issuer.Keys = set; c.Issuer.KeySetURL = "https://issuer.test/keys" }, `both Keys and KeySetURL`},
		{"an address of keys by http", func(c *middleware.Config) { c.Issuer.KeySetURL = "http://issuer.test/keys" }, `KeySetURL: http on a host that is not loopback`},
		{"another issuer twice", func(c *middleware.Config) {
			c.MoreIssuers = []middleware.Issuer{middleware.NewIssuer("https://issuer.test", "a")}
		}, `issuer "https://issuer.test": given twice`},
		{"another issuer without an audience", func(c *middleware.Config) {
			c.MoreIssuers = []middleware.Issuer{middleware.NewIssuer("https://other.test")}
		}, `issuer "https://other.test": no audience`},
		{"another issuer not made by NewIssuer", func(c *middleware.Config) {
			c.MoreIssuers = []middleware.Issuer{{Name: "https://other.test"}}
		}, `issuer "https://other.test": use NewIssuer to make an Issuer`},
		{"a realm with a line break", func(c *middleware.Config) { c.Realm = "a\r\nb" }, `Realm: "a\r\nb" has characters`},
		{"an audience that can't be a realm", func(c *middleware.Config) { c.Issuer.Audiences = []string{"é"} }, `Realm: empty, and the first audience`},
		{"an audience that can't be a realm, and a realm", func(c *middleware.Config) { c.Issuer.Audiences = []string{"é"}; c.Realm = "e" }, ``},
		{"a style that nobody knows", func(c *middleware.Config) { c.Style = 99 }, `Style: 99 is unknown`},
		{"a resource by http", func(c *middleware.Config) { c.Resource = "http://api.test" }, `Resource: http on a host that is not loopback`},
		{"a resource that is no URL", func(c *middleware.Config) { c.Resource = "api1" }, `Resource: not an absolute URL`},
		{"a resource with a fragment", func(c *middleware.Config) { c.Resource = "https://api.test#x" }, `Resource: the URL has a fragment`},
		{"metadata without a resource", func(c *middleware.Config) { c.ResourceMetadata = map[string]any{"a": 1} }, `ResourceMetadata: set without Resource`},
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
			assert.NotContains(t, fmt.Sprint(err), "u:p", "no password")
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
func TestAllConfigErrorsAtOnce(t *testing.T) {
	cfg := middleware.NewConfig("http://issuer.test")
	cfg.ClockSkew = -time.Second
	cfg.Issuer.Algorithms = []string{"none", "HS256", "XS256"}
	cfg.MoreIssuers = []middleware.Issuer{middleware.NewIssuer("")}
	cfg.Realm = "\n"
	cfg.Style = 99
	_, err := middleware.New(cfg)
	require.Error(t, err)
	for _, text := range []string{"AllowInsecureHTTP", "no audience", "ClockSkew", `"none"`, `"HS256"`, `"XS256"`, "issuer 2: the issuer is empty", "Realm", "Style"} {
		assert.Contains(t, err.Error(), text)
	}
	assert.Equal(t, 10, strings.Count(err.Error(), "middleware: config: "))
}

func TestConfigMustComeFromNewConfig(t *testing.T) {
	for _, cfg := range []*middleware.Config{nil, {}, {Issuer: middleware.NewIssuer("https://issuer.test", "api1")}} {
		_, err := middleware.New(cfg)
		assert.ErrorContains(t, err, "use NewConfig to make a Config")
		_, err = middleware.NewValidator(cfg)
		assert.ErrorContains(t, err, "use NewConfig to make a Config")
	}
}

// The constructors copy the Config, whole.
func TestLaterChangesHaveNoEffect(t *testing.T) {
	w := newWorld(t)
	v, err := middleware.NewValidator(w.cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Close() })
	w.cfg.Issuer.Audiences[0], w.cfg.Issuer.Algorithms[0], w.cfg.Issuer.Algorithms[2] = "x", "x", "x"
	w.cfg.ClockSkew = -1
	w.cfg.Check = func(context.Context, *middleware.Token) error { return errRevoked }
	_, err = v.Validate(t.Context(), w.iss.Token())
	assert.NoError(t, err)
}
