package middleware_test

import (
	"net/http"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

func realm(name string) setting { return with(func(c *middleware.Config) { c.Realm = name }) }

func resource(id string) setting { return with(func(c *middleware.Config) { c.Resource = id }) }

// How a refusal looks: realm, description, further challenges, resource metadata.
var answerPolicies = []policy{
	{"the realm is the first audience", audiencesOnly("https://api.test/v1", "api1"), header(), 401, "no_token", `Bearer realm="https://api.test/v1"`},
	{"a realm of one's own", realm("orders"), header(), 401, "no_token", `Bearer realm="orders"`},
	{"a realm with a quote and a backslash", realm(`a "b" \c`), header(), 401, "no_token", `Bearer realm="a \"b\" \\c"`},
	{"no descriptions", with(func(c *middleware.Config) { c.DescribeErrors = false }), mint(authtest.Expired), 401, "expired", `Bearer realm="api1", error="invalid_token"`},
	{"no descriptions, of a malformed request", with(func(c *middleware.Config) { c.DescribeErrors = false }), header("Bearer"), 400, "malformed_credentials", `Bearer realm="api1", error="invalid_request"`},
	{"no descriptions, of a scope", all(with(func(c *middleware.Config) { c.DescribeErrors = false }), needs("a")), mint(), 403, "insufficient_scope", `Bearer realm="api1", error="insufficient_scope", scope="a"`},
	{"nothing of the token is repeated: issuer", nil, mint(authtest.IssuedBy(`https://x", evil="y`)), 401, "unknown_issuer", invalid(badIssuer)},
	{"nothing of the token is repeated: audience", nil, mint(authtest.Audience("x\r\nSet-Cookie: a=b")), 401, "wrong_audience", invalid(badAudience)},
	{"nothing of the token is repeated: kid", nil, mint(authtest.Header("kid", "x\"\r\ny")), 401, "unknown_key", invalid(unknownKey)},
	{"nothing of the token is repeated: alg", nil, mint(authtest.Header("alg", "x\"y")), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"nothing of the token is repeated: typ", nil, mint(authtest.Header("typ", "x\"y")), 401, "type_not_allowed", invalid(badType)},
	{"a further challenge, without a token", with(moreChallenges), header(), 401, "no_token", "Bearer realm=\"api1\"\nBasic realm=\"api1\"\nDPoP algs=\"ES256\""},
	{"a further challenge, with a bad token", with(moreChallenges), mint(authtest.Expired), 401, "expired", invalid(expired) + "\nBasic realm=\"api1\"\nDPoP algs=\"ES256\""},
	{"no further challenge with 403", all(with(moreChallenges), needs("a")), mint(), 403, "insufficient_scope", insufficient(noScope, "a")},
	{"no further challenge with 400", with(moreChallenges), header("Bearer"), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"resource metadata, without a token", resource("https://api.test"), header(), 401, "no_token", `Bearer realm="api1", resource_metadata="https://api.test/.well-known/oauth-protected-resource"`},
	{"resource metadata of a resource with a slash", resource("https://api.test/"), header(), 401, "no_token", `Bearer realm="api1", resource_metadata="https://api.test/.well-known/oauth-protected-resource"`},
	{"resource metadata of a resource with a path", resource("https://api.test/v1/orders"), header(), 401, "no_token", `Bearer realm="api1", resource_metadata="https://api.test/.well-known/oauth-protected-resource/v1/orders"`},
	{"resource metadata of a resource with a query", resource("https://api.test/v1?x=1"), header(), 401, "no_token", `Bearer realm="api1", resource_metadata="https://api.test/.well-known/oauth-protected-resource/v1?x=1"`},
	{"resource metadata with a bad token", resource("https://api.test"), mint(authtest.Expired), 401, "expired", invalid(expired) + `, resource_metadata="https://api.test/.well-known/oauth-protected-resource"`},
	{"resource metadata with 403", all(resource("https://api.test"), needs("a")), mint(), 403, "insufficient_scope", insufficient(noScope, "a") + `, resource_metadata="https://api.test/.well-known/oauth-protected-resource"`},
}

// moreChallenges adds those of other schemes.
func moreChallenges(c *middleware.Config) {
	c.WriteError = func(w http.ResponseWriter, _ *http.Request, status int, _ error) {
		if status == http.StatusUnauthorized {
			w.Header().Add("WWW-Authenticate", `Basic realm="api1"`)
			w.Header().Add("WWW-Authenticate", `DPoP algs="ES256"`)
		}
		w.WriteHeader(status)
	}
}

func audiencesOnly(names ...string) setting {
	return with(func(c *middleware.Config) { c.Issuer.Audiences = names })
}
