package authtest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/bearergate/bearergate/middleware"
)

// payloads: not one JSON object that every reader reads alike.
func (b *badTokens) payloads() {
	const reason = middleware.ReasonMalformedPayload
	exp := `,"exp":32503680000` // the year 3000
	b.texts("exp twice", "", b.payload(exp), reason)
	b.texts("exp twice, once escaped", "", b.payload(`,"\u0065xp":32503680000`), reason)
	b.texts("a member twice that is not registered", "", b.payload(`,"role":"user","role":"admin"`), reason)
	b.texts("a member twice, further inside", "", b.payload(`,"realm_access":{"roles":["user"],"roles":["admin"]}`), reason)
	b.texts("EXP in place of exp", "", b.payload(`,"EXP":32503680000`, "exp"), middleware.ReasonFoldedClaim)
	b.texts("Exp beside exp", "", b.payload(`,"Exp":32503680000`), middleware.ReasonFoldedClaim)
	b.texts("ſub, with a long s, beside sub", "", b.payload(`,"ſub":"admin"`), middleware.ReasonFoldedClaim)
	b.texts("SCOPE beside scope", "", b.payload(`,"SCOPE":"admin"`), middleware.ReasonFoldedClaim)
	b.texts("payload of two JSON objects", "", b.payload("")+b.payload(""), reason)
	b.texts("payload with a word behind", "", b.payload("")+"x", reason)
	b.texts("payload with a byte order mark in front", "", "\ufeff"+b.payload(""), reason)
	b.texts("payload is an array", "", "["+b.payload("")+"]", reason)
	b.texts("payload is null", "", "null", reason)
	b.texts("payload is a string: another token inside", "", `"`+b.good+`"`, reason)
	b.texts("payload is another token, bare", "", b.good, reason)
	b.texts("payload nested 1000 deep", "", b.payload(`,"deep":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)), reason)
	b.texts("payload with invalid UTF-8", "", b.payload(",\"name\":\"\xff\""), reason)
	b.texts("payload with half a surrogate pair", "", b.payload(`,"name":"\ud800"`), reason)
	b.texts("payload with a control character in a string", "", b.payload(",\"name\":\"a\nb\""), reason)
	b.texts("payload with a number that no float64 holds", "", b.payload(`,"amount":1e400`), reason)
	b.texts("payload with NaN", "", b.payload(`,"amount":NaN`), reason)
	b.texts("payload with a comment", "", b.payload(`/* */`), reason)
	b.texts("payload with a comma too many", "", b.payload(","), reason)
}

// claims: well-formed, well signed, and not for here and now.
func (b *badTokens) claims() {
	const malformed = middleware.ReasonMalformedClaim
	b.mods("expired", middleware.ReasonExpired, Expired)
	b.mods("exp is zero", middleware.ReasonExpired, Claim("exp", 0), Without("nbf"))
	b.mods("no exp", middleware.ReasonNoExpiry, Without("exp"))
	for _, row := range []struct{ name, exp string }{
		{"exp is a string", `"32503680000"`},
		{"exp is null", `null`},
		{"exp is true", `true`},
		{"exp is an array", `[32503680000]`},
		{"exp is negative", `-1`},
		{"exp is 1e300", `1e300`},
		{"exp is the greatest int64", `9223372036854775807`},
		{"exp is beyond an int64", `18446744073709551617`},
	} {
		b.mods(row.name, malformed, Claim("exp", json.RawMessage(row.exp)))
	}
	now := b.iss.now
	b.mods("not valid yet", middleware.ReasonNotYetValid, NotYetValid)
	b.mods("nbf is a string", malformed, Claim("nbf", "0"))
	b.mods("nbf is later than exp", middleware.ReasonLifetime, Claim("nbf", now.Add(10*time.Second).Unix()), Claim("exp", now.Add(9*time.Second).Unix()))
	b.mods("issued in the future", middleware.ReasonIssuedInFuture, Claim("iat", now.Add(time.Hour).Unix()), Without("nbf"))
	b.mods("iat is a string", malformed, Claim("iat", "0"))

	b.mods("another issuer", middleware.ReasonIssuer, IssuedBy("https://mallory.test"))
	b.mods("the issuer with another slash at the end", middleware.ReasonIssuer, IssuedBy(otherSlash(b.iss.name)))
	b.mods("the issuer in capitals", middleware.ReasonIssuer, IssuedBy(strings.ToUpper(b.iss.name)))
	b.mods("the issuer as a prefix", middleware.ReasonIssuer, IssuedBy(b.iss.name+".mallory.test"))
	b.mods("no issuer", middleware.ReasonIssuer, Without("iss"))
	b.mods("iss is an array", malformed, Claim("iss", []string{b.iss.name}))

	b.mods("another audience", middleware.ReasonAudience, Audience("somebody-else"))
	b.mods("other audiences", middleware.ReasonAudience, Audience("somebody", "else"))
	b.mods("an id_token: aud is the client", middleware.ReasonAudience, Header("typ", "JWT"), Audience("client"), Claim("nonce", "n"), Without("client_id"))
	b.mods("no audience", middleware.ReasonAudience, Without("aud"))
	b.mods("aud is an empty array", middleware.ReasonAudience, Claim("aud", []string{}))
	b.mods("aud is a number", malformed, Claim("aud", 1))
	b.mods("aud is an object", malformed, Claim("aud", map[string]any{"api1": true}))
	b.mods("aud has a number inside", malformed, Claim("aud", []any{1, "api1"}))

	b.mods("sub is a number", malformed, Claim("sub", 1))
	b.mods("scope is an object", malformed, Claim("scope", map[string]any{"admin": true}))
	b.mods("bound to a key of the client (DPoP)", middleware.ReasonBound, Claim("cnf", map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))
}

func otherSlash(issuer string) string {
	if before, ok := strings.CutSuffix(issuer, "/"); ok {
		return before
	}
	return issuer + "/"
}
