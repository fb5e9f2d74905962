package authserver_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

func TestNewRefusesBadConfiguration(t *testing.T) {
	second := time.Second
	negative := -time.Second
	for _, row := range []struct {
		name string
		mod  func(*authserver.Config)
		want string
	}{
		{"no issuer", func(c *authserver.Config) { c.Issuer = "" }, "the issuer is empty"},
		{"issuer is no URL", func(c *authserver.Config) { c.Issuer = "login.example" }, "not an absolute URL"},
		{"issuer with a query", func(c *authserver.Config) { c.Issuer = "https://login.example?x=1" }, "has a query"},
		{"issuer with a fragment", func(c *authserver.Config) { c.Issuer = "https://login.example#" }, "has a fragment"},
		{"issuer with a password", func(c *authserver.Config) { c.Issuer = "https://a:b@login.example" }, "a user or a password"},
		{"http issuer on another host", func(c *authserver.Config) { c.Issuer = "http://login.example" }, "not loopback"},
		{"no store", func(c *authserver.Config) { c.Store = nil }, "Store is missing"},
		{"no HMAC key", func(c *authserver.Config) { c.RefreshKeys = nil }, "RefreshKeys is empty"},
		{"short HMAC key", func(c *authserver.Config) { c.RefreshKeys = [][]byte{make([]byte, 31)} }, "has 31 bytes"},
		{"access lifetime under a second", func(c *authserver.Config) { c.AccessTokenLifetime = 999 * time.Millisecond }, "shorter than 1 s"},
		{"refresh lifetime not over access lifetime", func(c *authserver.Config) { c.RefreshTokenLifetime = c.AccessTokenLifetime },
			"is not longer than the access token lifetime"},
		{"idle lifetime not over access lifetime", func(c *authserver.Config) { c.RefreshIdleLifetime = time.Second }, "refresh idle lifetime"},
		{"negative grace", func(c *authserver.Config) { c.RefreshGrace = -1 }, "refresh grace"},
		{"grace over a minute", func(c *authserver.Config) { c.RefreshGrace = time.Minute + 1 }, "refresh grace"},
		{"code lifetime 0", func(c *authserver.Config) { c.CodeLifetime = 0 }, "CodeLifetime"},
		{"code lifetime over ten minutes", func(c *authserver.Config) { c.CodeLifetime = 11 * time.Minute }, "CodeLifetime"},
		{"unknown rotation", func(c *authserver.Config) { c.Rotation = "sometimes" }, "sometimes"},
		{"negative grant limit", func(c *authserver.Config) { c.GrantsPerClient = -1 }, "GrantsPerClient"},
		{"negative rollback", func(c *authserver.Config) { c.MaxRollback = -1 }, "MaxRollback"},
		{"negative replay cap", func(c *authserver.Config) { c.MaxReplays = -1 }, "MaxReplays"},
		{"resource takes openid", func(c *authserver.Config) { c.Resources["x"] = []string{"openid"} }, "belongs to the server itself"},
		{"no users for a code flow", func(c *authserver.Config) { c.Users = nil }, "Users is missing"},
		{"two clients with one id", func(c *authserver.Config) { c.Clients[1].ID = mvcID }, "is configured twice"},
		{"client without id", func(c *authserver.Config) { c.Clients[0].ID = "" }, "client id is empty"},
		{"client without grant", func(c *authserver.Config) { c.Clients[0].GrantTypes = nil }, "no grant"},
		{"public client that serves", func(c *authserver.Config) { c.Clients[1].Serves = []string{"api1"} }, "needs a secret or keys"},
		{"unknown grant", func(c *authserver.Config) { c.Clients[0].GrantTypes = []string{"password"} }, `"password" is unknown`},
		{"redirect URI with a fragment", func(c *authserver.Config) { c.Clients[0].RedirectURIs = []string{"https://a.example/#x"} }, "fragment"},
		{"redirect URI with a wildcard", func(c *authserver.Config) { c.Clients[0].RedirectURIs = []string{"https://*.a.example/"} }, "wildcard"},
		{"relative redirect URI", func(c *authserver.Config) { c.Clients[0].RedirectURIs = []string{"/callback"} }, "not an absolute URI"},
		{"script as redirect URI", func(c *authserver.Config) { c.Clients[0].RedirectURIs = []string{"javascript:alert(1)"} }, "browser would run"},
		{"http redirect URI elsewhere", func(c *authserver.Config) { c.Clients[0].RedirectURIs = []string{"http://a.example/"} }, "not loopback"},
		{"no redirect URI", func(c *authserver.Config) { c.Clients[0].RedirectURIs = nil }, "needs a redirect URI"},
		{"unhashed secret", func(c *authserver.Config) { c.Clients[0].Secrets[0].Hash = mvcKey }, "secret 0"},
		{"unknown scope", func(c *authserver.Config) { c.Clients[0].Scopes = []string{"api2"} }, `"api2" belongs to no resource`},
		{"public client without PKCE", func(c *authserver.Config) { c.Clients[1].DangerouslyOptionalPKCE = true }, "must use PKCE"},
		{"public client without rotation", func(c *authserver.Config) { c.Clients[1].Rotation = authserver.RotateNever }, "must rotate"},
		{"public client with client_credentials", func(c *authserver.Config) { c.Clients[1].GrantTypes = []string{"client_credentials"} },
			"needs a secret"},
		{"client's refresh lifetime under its access lifetime", func(c *authserver.Config) { c.Clients[0].RefreshTokenLifetime = second },
			"is not longer than the access token lifetime"},
		{"client's grace negative", func(c *authserver.Config) { c.Clients[0].RefreshGrace = &negative }, "refresh grace"},
		{"origin with a path", func(c *authserver.Config) { c.Clients[1].Origins = []string{"https://a.example/"} }, "origin"},
		{"keys that are no key set", func(c *authserver.Config) { c.Clients[0].JWKS = []byte(`{}`) }, "jwks"},
		{"serves an unknown resource", func(c *authserver.Config) { c.Clients[0].Serves = []string{"api9"} }, "api9"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := newWorld(t).cfg
			row.mod(cfg)
			_, err := authserver.New(cfg)
			assert.ErrorContains(t, err, row.want)
		})
	}
}

func TestNewNamesAllProblemsAtOnce(t *testing.T) {
	cfg := newWorld(t).cfg
	cfg.Issuer, cfg.RefreshGrace, cfg.Clients[0].ID = "", -1, "spa"
	_, err := authserver.New(cfg)
	for _, want := range []string{"issuer is empty", "refresh grace", `client "spa" is configured twice`} {
		assert.ErrorContains(t, err, want)
	}
}

func TestNewRefusesConfigNotMadeByNewConfig(t *testing.T) {
	_, err := authserver.New(&authserver.Config{Issuer: issuer})
	assert.ErrorContains(t, err, "NewConfig")
	_, err = authserver.New(nil)
	assert.Error(t, err)
}

func TestLoopbackIssuerMayBeHTTP(t *testing.T) {
	for _, name := range []string{"http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]:5000", "http://localhost:5000/", "http://LocalHost:5000"} {
		cfg := newWorld(t).cfg
		cfg.Issuer = name
		_, err := authserver.New(cfg)
		assert.NoError(t, err, name)
	}
	cfg := newWorld(t).cfg
	cfg.Issuer, cfg.AllowInsecureHTTP = "http://login.example", true
	_, err := authserver.New(cfg)
	assert.NoError(t, err)
}

// No verb prints a secret, also when the value is part of another one.
func TestPrintingShowsNoSecret(t *testing.T) {
	cfg := newWorld(t).cfg
	cfg.RefreshKeys = [][]byte{[]byte("super-secret-super-secret-super-secret")}
	srv, err := authserver.New(cfg)
	require.NoError(t, err)
	tokens := authserver.Tokens{AccessToken: "super-secret", RefreshToken: "super-secret", IDToken: "super-secret", Scope: "api1"}
	for _, row := range []struct {
		value any
		shows string
	}{
		{cfg, "refresh_grace=10s"}, {*cfg, "refresh_grace=10s"}, {[]*authserver.Config{cfg}, ""}, {struct{ C authserver.Config }{*cfg}, "refresh_grace=10s"},
		{srv, issuer}, {struct{ S *authserver.Server }{srv}, issuer},
		{tokens, "scope=api1"}, {&tokens, "scope=api1"}, {[]authserver.Tokens{tokens}, "scope=api1"},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, row.value)
			assert.NotContains(t, text, "secret", verb)
			assert.NotContains(t, text, "115 117 112", verb)
			assert.NotContains(t, text, "0x73, 0x75", verb)
			assert.NotContains(t, strings.ToLower(text), "73757065", verb)
			assert.Contains(t, text, row.shows, verb)
		}
	}
}

func TestClientFromJSON(t *testing.T) {
	var c authserver.Client
	err := c.UnmarshalJSON([]byte(`{"client_id":"mvc client","grant_types":["authorization_code","refresh_token"],
		"redirect_uris":["http://127.0.0.1:5002/signin-oidc"],"access_token_lifetime":"60s","refresh_grace":"0s"}`))
	require.NoError(t, err)
	assert.Equal(t, mvcID, c.ID)
	assert.Equal(t, time.Minute, c.AccessTokenLifetime)
	require.NotNil(t, c.RefreshGrace)
	assert.Zero(t, *c.RefreshGrace)
	assert.Error(t, c.UnmarshalJSON([]byte(`{"client_id":"x","redirect_uri":"typo"}`)), "an unknown member")
	assert.Error(t, c.UnmarshalJSON([]byte(`{"client_id":"x","access_token_lifetime":60}`)), "a lifetime without unit")
}

func TestClientThatOnlyServes(t *testing.T) {
	cfg := newWorld(t).cfg
	cfg.Clients = append(cfg.Clients, authserver.Client{ID: "api1", Secrets: []authserver.Secret{authserver.HashSecret("x")}, Serves: []string{"api1"}})
	_, err := authserver.New(cfg)
	assert.NoError(t, err)
}
