package authserver

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
	"github.com/bearergate/bearergate/jwks"
)

const (
	maxGrace        = time.Minute
	maxCodeLifetime = 10 * time.Minute
	minKeySize      = 32
)

// validate returns all problems of the configuration.
func (c *Config) validate() error {
	var problems []error
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("authserver: "+format, args...))
	}
	if !c.made {
		return errors.New("authserver: use authserver.NewConfig to create a Config")
	}
	problems = append(problems, checkIssuer(c.Issuer, c.AllowInsecureHTTP)...)
	if c.Store == nil {
		add("Store is missing")
	}
	if len(c.RefreshKeys) == 0 {
		add("RefreshKeys is empty: refresh tokens need a key")
	}
	for i, k := range c.RefreshKeys {
		if len(k) < minKeySize {
			add("RefreshKeys[%d] has %d bytes, needs at least %d", i, len(k), minKeySize)
		}
	}
	if c.AccessTokenLifetime < time.Second {
		add("AccessTokenLifetime %v is shorter than 1 s", c.AccessTokenLifetime)
	}
	if c.CodeLifetime < time.Second || c.CodeLifetime > maxCodeLifetime {
		add("CodeLifetime %v is not between 1 s and %v", c.CodeLifetime, maxCodeLifetime)
	}
	if c.LoginLifetime < time.Second {
		add("LoginLifetime %v is shorter than 1 s", c.LoginLifetime)
	}
	if c.MaxRollback < 0 {
		add("MaxRollback %d is negative", c.MaxRollback)
	}
	if c.MaxReplays < 0 {
		add("MaxReplays %d is negative", c.MaxReplays)
	}
	if c.GrantsPerClient < 0 {
		add("GrantsPerClient %d is negative", c.GrantsPerClient)
	}
	for _, p := range checkLifetimes(
		c.AccessTokenLifetime, c.RefreshTokenLifetime, c.RefreshIdleLifetime, c.RefreshGrace,
	) {
		add("%w", p)
	}
	if !slices.Contains([]Rotation{RotateAlways, RotateNearExpiry, RotateNever}, c.Rotation) {
		add("Rotation %q is unknown", c.Rotation)
	}
	for _, o := range c.Origins {
		if !validOrigin(o) {
			add("origin %q is not scheme://host[:port]", o)
		}
	}
	for name, scopes := range c.Resources {
		if name == "" || strings.Contains(name, "#") {
			add("resource %q: the name is empty or has a fragment", name)
		}
		for _, scope := range scopes {
			if got, ok := parseScope(scope); !ok || len(got) != 1 {
				add("resource %q: %q is not a scope", name, scope)
			}
			if _, own := identityScopes[scope]; own {
				add("resource %q: scope %q belongs to the server itself", name, scope)
			}
		}
	}
	seen := map[string]bool{}
	for i := range c.Clients {
		if id := c.Clients[i].ID; seen[id] {
			add("client %q is configured twice", id)
		} else {
			seen[id] = true
		}
		for _, p := range c.validateClient(&c.Clients[i]) {
			add("client %q: %w", c.Clients[i].ID, p)
		}
		if c.Clients[i].allows(grantTypeCode) && c.Users == nil {
			add("client %q has authorization_code but Users is missing", c.Clients[i].ID)
		}
	}
	return errors.Join(problems...)
}

func checkIssuer(issuer string, insecure bool) []error {
	if issuer == "" {
		return []error{errors.New("authserver: the issuer is empty")}
	}
	u, err := weburl.Parse(issuer, insecure)
	if err != nil {
		return []error{fmt.Errorf("authserver: issuer %q: %w", weburl.Redact(issuer), err)}
	}
	var problems []error
	if weburl.HasQuery(u) {
		problems = append(problems, fmt.Errorf("authserver: issuer %q has a query", weburl.Redact(issuer)))
	}
	if strings.Contains(strings.TrimSuffix(u.Path, "/"), "//") || u.RawPath != "" {
		problems = append(problems, fmt.Errorf("authserver: issuer %q: the path has empty or escaped parts", issuer))
	}
	return problems
}

func checkLifetimes(access, refresh, idle, grace time.Duration) []error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if refresh <= access {
		add("the refresh token lifetime %v is not longer than the access token lifetime %v", refresh, access)
	}
	if idle <= access {
		add("the refresh idle lifetime %v is not longer than the access token lifetime %v", idle, access)
	}
	if grace < 0 || grace > maxGrace {
		add("the refresh grace %v is not between 0 and %v", grace, maxGrace)
	}
	return problems
}

// validateClient returns all problems of one client, with the server's settings.
func (c *Config) validateClient(cl *Client) []error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if cl.ID == "" || strings.ContainsFunc(cl.ID, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		add("the client id is empty or has characters outside of printable ASCII (RFC 6749, Appendix A.1)")
	}
	for i, s := range cl.Secrets {
		if !s.valid() {
			add("secret %d is not a hash, use HashSecret", i)
		}
	}
	if len(cl.JWKS) > 0 {
		if _, err := jwks.Parse(cl.JWKS); err != nil {
			add("jwks: %w", err)
		}
	}
	if len(cl.GrantTypes) == 0 && len(cl.Serves) == 0 {
		add("has no grant type and serves no resource")
	}
	if len(cl.Serves) > 0 && cl.public() {
		add("a client that serves a resource needs a secret or keys")
	}
	for _, g := range cl.GrantTypes {
		if !slices.Contains([]string{grantTypeCode, grantTypeRefresh, grantTypeCredentials}, g) {
			add("grant type %q is unknown", g)
		}
	}
	if cl.allows(grantTypeCredentials) && cl.public() {
		add("client_credentials needs a secret or keys")
	}
	if cl.allows(grantTypeCode) && len(cl.RedirectURIs) == 0 {
		add("authorization_code needs a redirect URI")
	}
	if cl.DangerouslyOptionalPKCE && cl.public() {
		add("a public client must use PKCE")
	}
	for _, uri := range cl.RedirectURIs {
		if err := c.checkRedirectURI(uri); err != nil {
			add("redirect URI %q: %w", uri, err)
		}
	}
	for _, uri := range cl.PostLogoutRedirectURIs {
		if err := c.checkRedirectURI(uri); err != nil {
			add("post-logout redirect URI %q: %w", uri, err)
		}
	}
	for _, o := range cl.Origins {
		if !validOrigin(o) {
			add("origin %q is not scheme://host[:port]", o)
		}
	}
	for _, scope := range cl.Scopes {
		if !c.scopeKnown(scope) {
			add("scope %q belongs to no resource", scope)
		}
	}
	for _, res := range cl.Serves {
		if _, ok := c.Resources[res]; !ok {
			add("serves %q, which is not in Resources", res)
		}
	}
	t := c.policyFor(cl)
	if cl.AccessTokenLifetime < 0 || t.access < time.Second {
		add("the access token lifetime %v is shorter than 1 s", t.access)
	}
	problems = append(problems, checkLifetimes(t.access, t.refresh, t.idle, t.grace)...)
	switch t.rotation {
	case RotateAlways, RotateNearExpiry:
	case RotateNever:
		if cl.public() && cl.allows(grantTypeRefresh) {
			add("a public client's refresh tokens must rotate (RFC 9700, Section 2.2.2)")
		}
	default:
		add("rotation %q is unknown", t.rotation)
	}
	return problems
}

// validOrigin reports whether o is an origin as browsers send it (RFC 6454, Section 6.1).
func validOrigin(o string) bool {
	u, err := url.Parse(o)
	return err == nil && u.Scheme != "" && u.Host != "" && o == strings.ToLower(u.Scheme+"://"+u.Host)
}

func (c *Config) scopeKnown(scope string) bool {
	if _, own := identityScopes[scope]; own {
		return true
	}
	for _, scopes := range c.Resources {
		if slices.Contains(scopes, scope) {
			return true
		}
	}
	return false
}
