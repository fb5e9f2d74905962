package middleware_test

import (
	"encoding/json"
	"strings"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

const (
	badAlgorithm = "The signature algorithm is not accepted"
	badType      = "The token is not an access token"
	badExtension = "The access token uses an extension that is not supported"
	unknownKey   = "The signing key is unknown"
	wrongSigning = "The signature is invalid"
)

func types(names ...string) setting {
	return with(func(c *middleware.Config) { c.Issuer.Types = names })
}

func algorithms(names ...string) setting {
	return with(func(c *middleware.Config) { c.Issuer.Algorithms = names })
}

// Step 3: the header.
var headerPolicies = []policy{
	// alg
	{"alg ES256", nil, mint(), 200, "accepted", nothing},
	{"alg RS256", nil, mint(authtest.Algorithm("RS256")), 200, "accepted", nothing},
	{"alg PS256", nil, mint(authtest.Algorithm("PS256")), 200, "accepted", nothing},
	{"alg EdDSA", nil, mint(authtest.Algorithm("EdDSA")), 200, "accepted", nothing},
	{"alg RS384, which is not on the default list", nil, mint(authtest.Algorithm("RS384")), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg ES384, which is not on the default list", nil, mint(authtest.Algorithm("ES384")), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg RS384 where it is allowed", algorithms("RS384"), mint(authtest.Algorithm("RS384")), 200, "accepted", nothing},
	{"alg RS512 where it is allowed", algorithms("RS512"), mint(authtest.Algorithm("RS512")), 200, "accepted", nothing},
	{"alg PS384 where it is allowed", algorithms("PS384"), mint(authtest.Algorithm("PS384")), 200, "accepted", nothing},
	{"alg PS512 where it is allowed", algorithms("PS512"), mint(authtest.Algorithm("PS512")), 200, "accepted", nothing},
	{"alg ES384 where it is allowed", algorithms("ES384"), mint(authtest.Algorithm("ES384")), 200, "accepted", nothing},
	{"alg ES512 where it is allowed", algorithms("ES512"), mint(authtest.Algorithm("ES512")), 200, "accepted", nothing},
	{"alg ES256 where only RS256 is allowed", algorithms("RS256"), mint(), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg none", nil, headed(`{"alg":"none","kid":"KID"}`), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg NONE", nil, headed(`{"alg":"NONE","kid":"KID"}`), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg HS256", nil, headed(`{"alg":"HS256","kid":"KID"}`), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg HS512", nil, headed(`{"alg":"HS512","kid":"KID"}`), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg es256", nil, headed(`{"alg":"es256","kid":"KID"}`), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg RSA-OAEP, of encryption", nil, headed(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":"KID"}`), 401, "algorithm_not_allowed", invalid(badAlgorithm)},
	{"alg empty", nil, headed(`{"alg":"","kid":"KID"}`), 401, "malformed_header", invalid(malformedToken)},
	{"alg missing", nil, headed(`{"typ":"at+jwt","kid":"KID"}`), 401, "malformed_header", invalid(malformedToken)},
	{"alg null", nil, headed(`{"alg":null,"kid":"KID"}`), 401, "malformed_header", invalid(malformedToken)},
	{"alg a number", nil, headed(`{"alg":256,"kid":"KID"}`), 401, "malformed_header", invalid(malformedToken)},
	{"alg an array", nil, headed(`{"alg":["ES256"],"kid":"KID"}`), 401, "malformed_header", invalid(malformedToken)},
	{"alg twice", nil, also(`"alg":"ES256"`), 401, "malformed_header", invalid(malformedToken)},
	{"ALG beside alg", nil, also(`"ALG":"none"`), 401, "malformed_header", invalid(malformedToken)},
	{"alg with escapes: the same name, the same value", nil, headed(`{"\u0061lg":"\u0045S256","typ":"at+jwt","kid":"KID"}`), 200, "accepted", nothing},
	// typ
	{"typ at+jwt", nil, mint(authtest.Header("typ", "at+jwt")), 200, "accepted", nothing},
	{"typ AT+JWT", nil, mint(authtest.Header("typ", "AT+JWT")), 200, "accepted", nothing},
	{"typ application/at+jwt", nil, mint(authtest.Header("typ", "application/at+jwt")), 200, "accepted", nothing},
	{"typ Application/AT+JWT", nil, mint(authtest.Header("typ", "Application/AT+JWT")), 200, "accepted", nothing},
	{"typ JWT", nil, mint(authtest.Header("typ", "JWT")), 200, "accepted", nothing},
	{"typ jwt", nil, mint(authtest.Header("typ", "jwt")), 200, "accepted", nothing},
	{"no typ", nil, mint(authtest.Header("typ", nil)), 200, "accepted", nothing},
	{"typ empty", nil, mint(authtest.Header("typ", "")), 401, "type_not_allowed", invalid(badType)},
	{"typ dpop+jwt", nil, mint(authtest.Header("typ", "dpop+jwt")), 401, "type_not_allowed", invalid(badType)},
	{"typ logout+jwt", nil, mint(authtest.Header("typ", "logout+jwt")), 401, "type_not_allowed", invalid(badType)},
	{"typ rt+jwt", nil, mint(authtest.Header("typ", "rt+jwt")), 401, "type_not_allowed", invalid(badType)},
	{"typ JOSE", nil, mint(authtest.Header("typ", "JOSE")), 401, "type_not_allowed", invalid(badType)},
	{"typ with a Kelvin sign", nil, mint(authtest.Header("typ", "at+jwt\u212a")), 401, "type_not_allowed", invalid(badType)},
	{"typ text/at+jwt", nil, mint(authtest.Header("typ", "text/at+jwt")), 401, "type_not_allowed", invalid(badType)},
	{"typ null", nil, mint(authtest.Header("typ", json.RawMessage("null"))), 401, "malformed_header", invalid(malformedToken)},
	{"typ a number", nil, mint(authtest.Header("typ", 1)), 401, "malformed_header", invalid(malformedToken)},
	{"typ JWT where only at+jwt is configured", types("at+jwt"), mint(authtest.Header("typ", "JWT")), 401, "type_not_allowed", invalid(badType)},
	{"no typ where only at+jwt is configured", types("at+jwt"), mint(authtest.Header("typ", nil)), 401, "type_not_allowed", invalid(badType)},
	{"no typ where none is configured", types(""), mint(authtest.Header("typ", nil)), 200, "accepted", nothing},
	{"a configured typ of one's own", types("application/vnd.example+jwt"), mint(authtest.Header("typ", "VND.example+jwt")), 200, "accepted", nothing},
	{"RFC 9068: at+jwt", profile(middleware.RFC9068), mint(), 200, "accepted", nothing},
	{"RFC 9068: application/at+jwt", profile(middleware.RFC9068), mint(authtest.Header("typ", "application/at+jwt")), 200, "accepted", nothing},
	{"RFC 9068: JWT", profile(middleware.RFC9068), mint(authtest.Header("typ", "JWT")), 401, "type_not_allowed", invalid(badType)},
	{"RFC 9068: no typ", profile(middleware.RFC9068), mint(authtest.Header("typ", nil)), 401, "type_not_allowed", invalid(badType)},
	// crit, b64
	{"crit with an unknown name", nil, also(`"crit":["exp"],"exp":1`), 401, "critical_header", invalid(badExtension)},
	{"crit empty", nil, also(`"crit":[]`), 401, "critical_header", invalid(badExtension)},
	{"crit null", nil, also(`"crit":null`), 401, "critical_header", invalid(badExtension)},
	{"b64 false", nil, also(`"b64":false`), 401, "critical_header", invalid(badExtension)},
	{"b64 true", nil, also(`"b64":true`), 401, "critical_header", invalid(badExtension)},
	{"CRIT beside nothing", nil, also(`"CRIT":["exp"]`), 401, "malformed_header", invalid(malformedToken)},
	// kid
	{"no kid: the issuer's keys of that type are tried", nil, mint(authtest.Header("kid", nil)), 200, "accepted", nothing},
	{"kid empty: as none", nil, mint(authtest.Header("kid", "")), 200, "accepted", nothing},
	{"kid unknown", nil, mint(authtest.Header("kid", "nobody")), 401, "unknown_key", invalid(unknownKey)},
	{"kid in another case", nil, headed(`{"alg":"ES256","typ":"at+jwt","kid":"es256-1"}`), 401, "unknown_key", invalid(unknownKey)},
	{"kid of 256 characters", nil, mint(authtest.Header("kid", strings.Repeat("k", 256))), 401, "unknown_key", invalid(unknownKey)},
	{"kid of 257 characters", nil, mint(authtest.Header("kid", strings.Repeat("k", 257))), 401, "malformed_kid", invalid(malformedToken)},
	{"kid a number", nil, mint(authtest.Header("kid", 7)), 401, "malformed_kid", invalid(malformedToken)},
	{"kid null", nil, mint(authtest.Header("kid", json.RawMessage("null"))), 401, "malformed_kid", invalid(malformedToken)},
	{"kid a path", nil, mint(authtest.Header("kid", "../../etc/passwd")), 401, "unknown_key", invalid(unknownKey)},
	{"kid twice", nil, also(`"kid":"KID"`), 401, "malformed_header", invalid(malformedToken)},
	// the rest
	{"jwk, jku, x5u, x5c: not read", nil, also(`"jwk":{"kty":"oct","k":"AA"},"jku":"https://mallory.test","x5u":"https://mallory.test","x5c":["AA"]`), 200, "accepted", nothing},
	{"a member that nobody knows", nil, also(`"nonce":"n","x":{"y":[1]}`), 200, "accepted", nothing},
	{"cty JWT, and no token inside", nil, also(`"cty":"JWT"`), 200, "accepted", nothing},
	{"spaces around", nil, headed(" {\n\"alg\" : \"ES256\" ,\t\"typ\":\"at+jwt\",\r\"kid\":\"KID\"} "), 200, "accepted", nothing},
	{"header an array", nil, headed(`["ES256"]`), 401, "malformed_header", invalid(malformedToken)},
	{"header a string", nil, headed(`"ES256"`), 401, "malformed_header", invalid(malformedToken)},
	{"header null", nil, headed(`null`), 401, "malformed_header", invalid(malformedToken)},
	{"header empty", nil, headed(`{}`), 401, "malformed_header", invalid(malformedToken)},
	{"header not JSON", nil, headed(`alg=ES256`), 401, "malformed_header", invalid(malformedToken)},
	{"two headers", nil, headed(`{"alg":"ES256","kid":"KID"}{"alg":"none"}`), 401, "malformed_header", invalid(malformedToken)},
	{"header with invalid UTF-8", nil, also("\"x\":\"\xff\""), 401, "malformed_header", invalid(malformedToken)},
	{"header 100 deep", nil, also(`"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), 401, "malformed_header", invalid(malformedToken)},
}
