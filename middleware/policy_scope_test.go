package middleware_test

import (
	"net/http"
	"time"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

const (
	noScope      = "The access token lacks the required scope"
	notPermitted = "The access token does not permit this"
)

func scope(names ...string) asking { return mint(authtest.Scope(names...)) }

func scopeClaims(paths ...string) setting {
	return with(func(c *middleware.Config) { c.Issuer.ScopeClaims = paths })
}

func anyOf(scopes ...string) setting { return needsThat(middleware.Requirement{AnyScope: scopes}) }

func stepUp(description, more string) string {
	return challenge + `, error="insufficient_user_authentication", error_description="` + description + `"` + more
}

const (
	weakAuth = "A different authentication level is required"
	oldAuth  = "More recent authentication is required"
)

func authenticated(ago time.Duration, mods ...authtest.Mod) asking {
	return func(w *world) *http.Request {
		return mint(append(mods, authtest.Claim("auth_time", w.iss.Now().Add(-ago).Unix()))...)(w)
	}
}

// What a route asks of a token.
var scopePolicies = []policy{
	// all of
	{"the scope", needs("read"), scope("read"), 200, "accepted", nothing},
	{"the scope among others", needs("read"), scope("a", "read", "b"), 200, "accepted", nothing},
	{"both scopes", needs("read", "write"), scope("write", "read"), 200, "accepted", nothing},
	{"one of two scopes", needs("read", "write"), scope("read"), 403, "insufficient_scope", insufficient(noScope, "read write")},
	{"another scope", needs("read"), scope("write"), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"no scope claim", needs("read"), mint(), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"an empty scope", needs("read"), scope(""), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"the scope in capitals", needs("read"), scope("READ"), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"the scope as a prefix", needs("read"), scope("read:all"), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"no scope asked for", needs(), mint(), 200, "accepted", nothing},
	{"a scope asked for twice is named once", needs("read", "read"), mint(), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"a role with a space, in an array", needs("read all"), mint(authtest.Claim("scope", []string{"read all"})), 200, "accepted", nothing},
	{"what is no scope-token is not named", needs("read all", "x", `re"ad`), mint(), 403, "insufficient_scope", insufficient(noScope, "x")},
	{"a scope with a space is not two", needs("read write"), scope("read", "write"), 403, "insufficient_scope", insufficient(noScope, "")},
	{"no token at all", needs("read"), header(), 401, "no_token", challenge},
	{"an expired token: 401 before 403", needs("read"), mint(authtest.Expired), 401, "expired", invalid(expired)},
	// forms of the claim
	{"spaces in abundance", needs("read", "write"), mint(authtest.Claim("scope", "  read   write ")), 200, "accepted", nothing},
	{"a tab does not divide", needs("read"), mint(authtest.Claim("scope", "read\twrite")), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"a comma does not divide", needs("read"), mint(authtest.Claim("scope", "read,write")), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"scope an array", needs("read", "write"), mint(authtest.Claim("scope", []string{"read", "write"})), 200, "accepted", nothing},
	{"an element of an array is not divided", needs("read"), mint(authtest.Claim("scope", []string{"read write"})), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"scp a string, as Entra ID has it", needs("read"), mint(authtest.Claim("scp", "read write")), 200, "accepted", nothing},
	{"scp an array, as Okta has it", needs("read"), mint(authtest.Claim("scp", []string{"read"})), 200, "accepted", nothing},
	{"scope and scp are united", needs("a", "b"), mint(authtest.Scope("a"), authtest.Claim("scp", "b")), 200, "accepted", nothing},
	{"scp where only scope is configured", all(scopeClaims("scope"), needs("read")), mint(authtest.Claim("scp", "read")), 403, "insufficient_scope", insufficient(noScope, "read")},
	{"roles where roles are configured", all(scopeClaims("roles"), needs("admin")), mint(authtest.Claim("roles", []string{"admin"})), 200, "accepted", nothing},
	{"roles where they are not configured", needs("admin"), mint(authtest.Claim("roles", []string{"admin"})), 403, "insufficient_scope", insufficient(noScope, "admin")},
	{"Keycloak's realm roles", all(scopeClaims("/realm_access/roles"), needs("admin")), claiming(`"realm_access":{"roles":["user","admin"]}`), 200, "accepted", nothing},
	{"Keycloak's client roles", all(scopeClaims("/resource_access/api1/roles"), needs("admin")), claiming(`"resource_access":{"other":{"roles":[]},"api1":{"roles":["admin"]}}`), 200, "accepted", nothing},
	{"another client's roles", all(scopeClaims("/resource_access/api1/roles"), needs("admin")), claiming(`"resource_access":{"other":{"roles":["admin"]}}`), 403, "insufficient_scope", insufficient(noScope, "admin")},
	{"a top-level claim whose name looks like the path", all(scopeClaims("/realm_access/roles"), needs("admin")), claiming(`"/realm_access/roles":["admin"]`), 403, "insufficient_scope", insufficient(noScope, "admin")},
	{"a claim named by a URL, as Auth0 has them", all(scopeClaims("https://example.test/roles"), needs("admin")), claiming(`"https://example.test/roles":["admin"]`), 200, "accepted", nothing},
	{"a path with escapes", all(scopeClaims("/https:~1~1a.test~1x/m~0n"), needs("admin")), claiming(`"https://a.test/x":{"m~n":"admin"}`), 200, "accepted", nothing},
	{"a path that ends in a number", all(scopeClaims("/realm_access/roles"), needs("admin")), claiming(`"realm_access":{"roles":7}`), 401, "malformed_claim", invalid(malformedToken)},
	{"a path through an array", all(scopeClaims("/realm_access/roles"), needs("admin")), claiming(`"realm_access":[{"roles":["admin"]}]`), 403, "insufficient_scope", insufficient(noScope, "admin")},
	// any of
	{"any of: the first", anyOf("read", "write"), scope("read"), 200, "accepted", nothing},
	{"any of: the last", anyOf("read", "write"), scope("x", "write"), 200, "accepted", nothing},
	{"any of: none", anyOf("read", "write"), scope("x"), 403, "insufficient_scope", insufficient(noScope, "read write")},
	{"all of and any of: both met", needsThat(middleware.Requirement{Scopes: []string{"a"}, AnyScope: []string{"b", "c"}}), scope("a", "c"), 200, "accepted", nothing},
	{"all of and any of: one met", needsThat(middleware.Requirement{Scopes: []string{"a"}, AnyScope: []string{"b", "c"}}), scope("b", "c"), 403, "insufficient_scope", insufficient(noScope, "a b c")},
	// a predicate
	{"a predicate that holds", needsThat(middleware.Requirement{Allow: isAlice}), mint(), 200, "accepted", nothing},
	{"a predicate that does not", needsThat(middleware.Requirement{Allow: isAlice}), mint(authtest.Subject("bob")), 403, "not_permitted", insufficient(notPermitted, "")},
	{"a predicate behind a scope", needsThat(middleware.Requirement{Scopes: []string{"a"}, Allow: isAlice}), mint(authtest.Subject("bob")), 403, "insufficient_scope", insufficient(noScope, "a")},
	// per-route audience
	{"the route's audience", all(audiences("api1", "api2"), needsThat(middleware.Requirement{Audiences: []string{"api2"}})), mint(authtest.Audience("api1", "api2")), 200, "accepted", nothing},
	{"another route's audience", all(audiences("api1", "api2"), needsThat(middleware.Requirement{Audiences: []string{"api2"}})), mint(authtest.Audience("api1")), 401, "wrong_audience", invalid(badAudience)},
	{"the route's audience is not enough without the issuer's", needsThat(middleware.Requirement{Audiences: []string{"api2"}}), mint(authtest.Audience("api2")), 401, "wrong_audience", invalid(badAudience)},
	// step-up, RFC 9470
	{"acr: as wanted", needsThat(middleware.Requirement{ACR: []string{"gold", "silver"}}), mint(authtest.Claim("acr", "silver")), 200, "accepted", nothing},
	{"acr: another", needsThat(middleware.Requirement{ACR: []string{"gold", "silver"}}), mint(authtest.Claim("acr", "bronze")), 401, "insufficient_acr", stepUp(weakAuth, `, acr_values="gold silver"`)},
	{"acr: none", needsThat(middleware.Requirement{ACR: []string{"gold"}}), mint(), 401, "insufficient_acr", stepUp(weakAuth, `, acr_values="gold"`)},
	{"max_age: fresh", needsThat(middleware.Requirement{MaxAge: 5 * time.Minute}), authenticated(time.Minute), 200, "accepted", nothing},
	{"max_age: as old as that, and the skew", needsThat(middleware.Requirement{MaxAge: 5 * time.Minute}), authenticated(6 * time.Minute), 200, "accepted", nothing},
	{"max_age: older", needsThat(middleware.Requirement{MaxAge: 5 * time.Minute}), authenticated(6*time.Minute + time.Second), 401, "authentication_too_old", stepUp(oldAuth, `, max_age="300"`)},
	{"max_age and no auth_time", needsThat(middleware.Requirement{MaxAge: 5 * time.Minute}), mint(), 401, "authentication_too_old", stepUp(oldAuth, `, max_age="300"`)},
	{"acr and max_age: both named", needsThat(middleware.Requirement{ACR: []string{"gold"}, MaxAge: 5 * time.Minute}), authenticated(time.Hour), 401, "insufficient_acr", stepUp(weakAuth, `, acr_values="gold", max_age="300"`)},
	{"a scope before step-up", needsThat(middleware.Requirement{Scopes: []string{"a"}, ACR: []string{"gold"}}), mint(), 403, "insufficient_scope", insufficient(noScope, "a")},
}

func isAlice(tok *middleware.Token) bool { return tok.Subject() == "alice" }
