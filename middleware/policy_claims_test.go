package middleware_test

import (
	"strings"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

const (
	badIssuer   = "The issuer is not accepted"
	badAudience = "The audience is not accepted"
	missing     = "The access token lacks a required claim"
)

func required(names ...string) setting {
	return with(func(c *middleware.Config) { c.Issuer.RequiredClaims = names })
}

func audiences(names ...string) setting {
	return with(func(c *middleware.Config) { c.Issuer.Audiences, c.Realm = names, "api1" })
}

// Step 4, the text: one JSON object that every reader reads alike.
var payloadPolicies = []policy{
	{"an array", nil, body(`[]`), 401, "malformed_payload", invalid(malformedToken)},
	{"a string", nil, body(`"x"`), 401, "malformed_payload", invalid(malformedToken)},
	{"a number", nil, body(`1`), 401, "malformed_payload", invalid(malformedToken)},
	{"null", nil, body(`null`), 401, "malformed_payload", invalid(malformedToken)},
	{"true", nil, body(`true`), 401, "malformed_payload", invalid(malformedToken)},
	{"text", nil, body(`sub=alice`), 401, "malformed_payload", invalid(malformedToken)},
	{"a space only", nil, body(` `), 401, "malformed_payload", invalid(malformedToken)},
	{"no claims at all", nil, body(`{}`), 401, "unknown_issuer", invalid(badIssuer)},
	{"an object that is not closed", nil, body(`{"iss":"x"`), 401, "malformed_payload", invalid(malformedToken)},
	{"two objects", nil, body(`{}{}`), 401, "malformed_payload", invalid(malformedToken)},
	{"a comma behind the last member", nil, claiming(`"a":1,`), 401, "malformed_payload", invalid(malformedToken)},
	{"a name without quotes", nil, claiming(`a:1`), 401, "malformed_payload", invalid(malformedToken)},
	{"single quotes", nil, claiming(`'a':1`), 401, "malformed_payload", invalid(malformedToken)},
	{"a comment", nil, claiming(`"a":1/*x*/`), 401, "malformed_payload", invalid(malformedToken)},
	{"NaN", nil, claiming(`"a":NaN`), 401, "malformed_payload", invalid(malformedToken)},
	{"Infinity", nil, claiming(`"a":Infinity`), 401, "malformed_payload", invalid(malformedToken)},
	{"a number with a leading zero", nil, claiming(`"a":01`), 401, "malformed_payload", invalid(malformedToken)},
	{"a number with a plus", nil, claiming(`"a":+1`), 401, "malformed_payload", invalid(malformedToken)},
	{"a number that ends in a point", nil, claiming(`"a":1.`), 401, "malformed_payload", invalid(malformedToken)},
	{"a number beyond float64", nil, claiming(`"a":1e309`), 401, "malformed_payload", invalid(malformedToken)},
	{"a number of 400 digits", nil, claiming(`"a":1` + strings.Repeat("0", 400)), 401, "malformed_payload", invalid(malformedToken)},
	{"a great number within float64", nil, claiming(`"a":-1.5E+300`), 200, "accepted", nothing},
	{"a byte order mark", nil, body("\ufeff{}"), 401, "malformed_payload", invalid(malformedToken)},
	{"invalid UTF-8 in a value", nil, claiming("\"a\":\"\xc3\x28\""), 401, "malformed_payload", invalid(malformedToken)},
	{"invalid UTF-8 in a name", nil, claiming("\"\xff\":1"), 401, "malformed_payload", invalid(malformedToken)},
	{"an overlong zero", nil, claiming("\"a\":\"\xc0\x80\""), 401, "malformed_payload", invalid(malformedToken)},
	{"a line break in a string", nil, claiming("\"a\":\"\n\""), 401, "malformed_payload", invalid(malformedToken)},
	{"an escape that is none", nil, claiming(`"a":"\x41"`), 401, "malformed_payload", invalid(malformedToken)},
	{"an escape cut short", nil, claiming(`"a":"\u00"`), 401, "malformed_payload", invalid(malformedToken)},
	{"a high surrogate alone", nil, claiming(`"a":"\ud83d"`), 401, "malformed_payload", invalid(malformedToken)},
	{"a low surrogate alone", nil, claiming(`"a":"\ude00"`), 401, "malformed_payload", invalid(malformedToken)},
	{"two high surrogates", nil, claiming(`"a":"\ud83d\ud83d"`), 401, "malformed_payload", invalid(malformedToken)},
	{"a surrogate pair", nil, claiming(`"a":"\ud83d\ude00"`), 200, "accepted", nothing},
	{"every escape there is", nil, claiming(`"a":"\"\\\/\b\f\n\r\té"`), 200, "accepted", nothing},
	{"depth 32", nil, claiming(`"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31)), 200, "accepted", nothing},
	{"depth 33", nil, claiming(`"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32)), 401, "malformed_payload", invalid(malformedToken)},
	{"depth 33 of objects", nil, claiming(`"a":` + strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32)), 401, "malformed_payload", invalid(malformedToken)},
	{"sub twice", nil, claiming(`"sub":"alice"`), 401, "malformed_payload", invalid(malformedToken)},
	{"exp twice", nil, claiming(`"exp":32503680000`), 401, "malformed_payload", invalid(malformedToken)},
	{"exp twice, once escaped", nil, claiming(`"\u0065xp":32503680000`), 401, "malformed_payload", invalid(malformedToken)},
	{"a name of nobody's twice", nil, claiming(`"x":1,"x":1`), 401, "malformed_payload", invalid(malformedToken)},
	{"a name twice among many", nil, claiming(many(40) + `,"n7":1`), 401, "malformed_payload", invalid(malformedToken)},
	{"many names", nil, claiming(many(200)), 200, "accepted", nothing},
	{"a name twice further inside", nil, claiming(`"x":{"y":1,"y":2}`), 401, "malformed_payload", invalid(malformedToken)},
	{"a name twice inside an array", nil, claiming(`"x":[{"y":1,"y":2}]`), 401, "malformed_payload", invalid(malformedToken)},
	{"the same name at two depths", nil, claiming(`"x":{"sub":"bob","exp":1}`), 200, "accepted", nothing},
	{"EXP alone", nil, claiming(`"EXP":32503680000`, "exp"), 401, "folded_claim", invalid(malformedToken)},
	{"Exp beside exp", nil, claiming(`"Exp":1`), 401, "folded_claim", invalid(malformedToken)},
	{"ſub with a long s", nil, claiming(`"ſub":"bob"`), 401, "folded_claim", invalid(malformedToken)},
	{"iſs, escaped", nil, claiming(`"i\u017fs":"x"`), 401, "folded_claim", invalid(malformedToken)},
	{"Scope", nil, claiming(`"Scope":"admin"`), 401, "folded_claim", invalid(malformedToken)},
	{"Client_ID", nil, claiming(`"Client_ID":"x"`), 401, "folded_claim", invalid(malformedToken)},
	{"Cnf", nil, claiming(`"Cnf":{}`), 401, "folded_claim", invalid(malformedToken)},
	{"Roles", nil, claiming(`"Roles":["admin"]`), 401, "folded_claim", invalid(malformedToken)},
	{"a capital in a name of nobody's", nil, claiming(`"tenantId":"t","UPN":"u"`), 200, "accepted", nothing},
	{"an empty name", nil, claiming(`"":1`), 200, "accepted", nothing},
	{"spaces and line breaks between", nil, claiming("\n\t\"a\" : [ 1 , { } , [ ] , \"x\" , true , false , null ]\r\n"), 200, "accepted", nothing},
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"n` + itoa(i) + `":1`)
	}
	return b.String()
}

// Steps 4 and 7, what the claims say.
var claimPolicies = []policy{
	// iss
	{"another issuer", nil, mint(authtest.IssuedBy("https://mallory.test")), 401, "unknown_issuer", invalid(badIssuer)},
	{"no iss", nil, mint(authtest.Without("iss")), 401, "unknown_issuer", invalid(badIssuer)},
	{"iss with a slash more", nil, mint(authtest.IssuedBy("https://issuer.test/")), 401, "unknown_issuer", invalid(badIssuer)},
	{"iss in capitals", nil, mint(authtest.IssuedBy("HTTPS://ISSUER.TEST")), 401, "unknown_issuer", invalid(badIssuer)},
	{"iss by http", nil, mint(authtest.IssuedBy("http://issuer.test")), 401, "unknown_issuer", invalid(badIssuer)},
	{"iss with a space behind", nil, mint(authtest.IssuedBy("https://issuer.test ")), 401, "unknown_issuer", invalid(badIssuer)},
	{"iss empty", nil, mint(authtest.IssuedBy("")), 401, "unknown_issuer", invalid(badIssuer)},
	{"iss null", nil, claiming(`"iss":null`, "iss"), 401, "malformed_claim", invalid(malformedToken)},
	{"iss an array", nil, claiming(`"iss":["https://issuer.test"]`, "iss"), 401, "malformed_claim", invalid(malformedToken)},
	{"iss escaped: the same text", nil, claiming(`"iss":"https:\/\/issuer\u002etest"`, "iss"), 200, "accepted", nothing},
	// aud
	{"aud a string", nil, mint(authtest.Audience("api1")), 200, "accepted", nothing},
	{"aud an array of one", nil, mint(authtest.Claim("aud", []string{"api1"})), 200, "accepted", nothing},
	{"aud an array with ours last", nil, mint(authtest.Audience("a", "b", "api1")), 200, "accepted", nothing},
	{"aud another", nil, mint(authtest.Audience("api2")), 401, "wrong_audience", invalid(badAudience)},
	{"aud others", nil, mint(authtest.Audience("api2", "api3")), 401, "wrong_audience", invalid(badAudience)},
	{"aud in capitals", nil, mint(authtest.Audience("API1")), 401, "wrong_audience", invalid(badAudience)},
	{"aud with a slash more", nil, mint(authtest.Audience("api1/")), 401, "wrong_audience", invalid(badAudience)},
	{"aud as a prefix", nil, mint(authtest.Audience("api10")), 401, "wrong_audience", invalid(badAudience)},
	{"aud as a list in one string", nil, mint(authtest.Audience("api2 api1")), 401, "wrong_audience", invalid(badAudience)},
	{"aud with a wildcard", nil, mint(authtest.Audience("*")), 401, "wrong_audience", invalid(badAudience)},
	{"no aud", nil, mint(authtest.Without("aud")), 401, "wrong_audience", invalid(badAudience)},
	{"aud an empty array", nil, claiming(`"aud":[]`, "aud"), 401, "wrong_audience", invalid(badAudience)},
	{"aud an empty string", nil, mint(authtest.Audience("")), 401, "wrong_audience", invalid(badAudience)},
	{"aud null", nil, claiming(`"aud":null`, "aud"), 401, "malformed_claim", invalid(malformedToken)},
	{"aud a number", nil, claiming(`"aud":1`, "aud"), 401, "malformed_claim", invalid(malformedToken)},
	{"aud an object", nil, claiming(`"aud":{"api1":true}`, "aud"), 401, "malformed_claim", invalid(malformedToken)},
	{"aud an array with a number", nil, claiming(`"aud":["api1",1]`, "aud"), 401, "malformed_claim", invalid(malformedToken)},
	{"aud an array in an array", nil, claiming(`"aud":[["api1"]]`, "aud"), 401, "malformed_claim", invalid(malformedToken)},
	{"aud escaped: the same text", nil, claiming(`"aud":["\u0061pi1"]`, "aud"), 200, "accepted", nothing},
	{"the second of two audiences", audiences("api1", "https://api.test"), mint(authtest.Audience("https://api.test")), 200, "accepted", nothing},
	{"an id_token: aud is the client", nil, mint(authtest.Header("typ", "JWT"), authtest.Audience("client")), 401, "wrong_audience", invalid(badAudience)},
	// other claims of fixed types
	{"sub a number", nil, claiming(`"sub":1`, "sub"), 401, "malformed_claim", invalid(malformedToken)},
	{"sub null", nil, claiming(`"sub":null`, "sub"), 401, "malformed_claim", invalid(malformedToken)},
	{"no sub", nil, mint(authtest.Without("sub")), 200, "accepted", nothing},
	{"jti a number", nil, claiming(`"jti":1`, "jti"), 401, "malformed_claim", invalid(malformedToken)},
	{"client_id an array", nil, claiming(`"client_id":["x"]`, "client_id"), 401, "malformed_claim", invalid(malformedToken)},
	{"azp a number", nil, claiming(`"azp":1`), 401, "malformed_claim", invalid(malformedToken)},
	{"acr a number", nil, claiming(`"acr":1`), 401, "malformed_claim", invalid(malformedToken)},
	{"auth_time a string", nil, claiming(`"auth_time":"1"`), 401, "malformed_claim", invalid(malformedToken)},
	{"auth_time 0, as Keycloak had it", nil, claiming(`"auth_time":0`), 200, "accepted", nothing},
	{"scope a number", nil, claiming(`"scope":1`), 401, "malformed_claim", invalid(malformedToken)},
	{"scp an object", nil, claiming(`"scp":{}`), 401, "malformed_claim", invalid(malformedToken)},
	// cnf
	{"cnf: bound by DPoP", nil, claiming(`"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`), 401, "bound_token", invalid("The access token is bound to a key of its client")},
	{"cnf: bound by mutual TLS", nil, claiming(`"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`), 401, "bound_token", invalid("The access token is bound to a key of its client")},
	{"cnf where something else proves possession", with(func(c *middleware.Config) { c.AllowUnprovenBinding = true }), claiming(`"cnf":{"jkt":"x"}`), 200, "accepted", nothing},
	{"cnf a string", nil, claiming(`"cnf":"x"`), 401, "malformed_claim", invalid(malformedToken)},
	// required claims
	{"a required claim that is there", required("tenant"), mint(authtest.Claim("tenant", "t")), 200, "accepted", nothing},
	{"a required claim that is not", required("tenant"), mint(), 401, "missing_claim", invalid(missing)},
	{"a required claim that is null", required("tenant"), claiming(`"tenant":null`), 401, "missing_claim", invalid(missing)},
	{"a required claim that is false", required("tenant"), claiming(`"tenant":false`), 200, "accepted", nothing},
	{"a required claim in another case", required("tenant"), claiming(`"Tenant":"t"`), 401, "missing_claim", invalid(missing)},
	{"a required claim further inside", required("/realm_access/roles"), claiming(`"realm_access":{"roles":[]}`), 200, "accepted", nothing},
	{"a required claim not further inside", required("/realm_access/roles"), claiming(`"realm_access":{}`), 401, "missing_claim", invalid(missing)},
	{"sub required and missing", required("sub"), mint(authtest.Without("sub")), 401, "missing_claim", invalid(missing)},
	{"jti required and there", required("jti"), mint(), 200, "accepted", nothing},
	{"RFC 9068: complete", profile(middleware.RFC9068), mint(), 200, "accepted", nothing},
	{"RFC 9068: no sub", profile(middleware.RFC9068), mint(authtest.Without("sub")), 401, "missing_claim", invalid(missing)},
	{"RFC 9068: no client_id", profile(middleware.RFC9068), mint(authtest.Without("client_id")), 401, "missing_claim", invalid(missing)},
	{"RFC 9068: azp does not stand for client_id", profile(middleware.RFC9068), mint(authtest.Without("client_id"), authtest.Claim("azp", "client")), 401, "missing_claim", invalid(missing)},
	{"RFC 9068: no iat", profile(middleware.RFC9068), mint(authtest.Without("iat")), 401, "missing_claim", invalid(missing)},
	{"RFC 9068: no jti", profile(middleware.RFC9068), mint(authtest.Without("jti")), 401, "missing_claim", invalid(missing)},
	{"RFC 9068: no exp", profile(middleware.RFC9068), mint(authtest.Without("exp")), 401, "no_expiry", invalid(noExpiry)},
	{"RFC 9068: no exp, although exp is not required", all(profile(middleware.RFC9068), with(func(c *middleware.Config) { c.RequireExpirationTime = false })), mint(authtest.Without("exp")), 401, "missing_claim", invalid(missing)},
	{"RFC 9068: no aud", profile(middleware.RFC9068), mint(authtest.Without("aud")), 401, "wrong_audience", invalid(badAudience)},
}
