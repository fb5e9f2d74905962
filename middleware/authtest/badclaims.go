package authtest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/bearergate/bearergate/middleware"
)

// payloads adds tokens whose payload is not one JSON object that every reader understands alike.
func (b *badTokens) payloads() {
	const reason = middleware.ReasonMalformedPayload
	exp := `,"exp":32503680000` // the year 3000
	b.addText("exp twice", "", b.payload(exp), reason)
	b.addText("exp twice, once escaped", "", b.payload(`,"\u0065xp":32503680000`), reason)
	b.addText("a member twice that is not registered", "", b.payload(`,"role":"user","role":"admin"`), reason)
	b.addText("a member twice, further inside", "", b.payload(`,"realm_access":{"roles":["user"],"roles":["admin"]}`), reason)
	b.addText("EXP in place of exp", "", b.payload(`,"EXP":32503680000`, "exp"), middleware.ReasonFoldedClaim)
	b.addText("Exp beside exp", "", b.payload(`,"Exp":32503680000`), middleware.ReasonFoldedClaim)
	b.addText("ſub, with a long s, beside sub", "", b.payload(`,"ſub":"admin"`), middleware.ReasonFoldedClaim)
	b.addText("SCOPE beside scope", "", b.payload(`,"SCOPE":"admin"`), middleware.ReasonFoldedClaim)
	b.addText("payload of two JSON objects", "", b.payload("")+b.payload(""), reason)
	b.addText("payload with a word behind", "", b.payload("")+"x", reason)
	b.addText("payload with a byte order mark in front", "", "\ufeff"+b.payload(""), reason)
	b.addText("payload is an array", "", "["+b.payload("")+"]", reason)
	b.addText("payload is null", "", "null", reason)
	b.addText("payload is a string: another token inside", "", `"`+b.valid+`"`, reason)
	b.addText("payload is another token, bare", "", b.valid, reason)
	b.addText("payload nested 1000 deep", "", b.payload(`,"deep":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)), reason)
	b.addText("payload with invalid UTF-8", "", b.payload(",\"name\":\"\xff\""), reason)
	b.addText("payload with half a surrogate pair", "", b.payload(`,"name":"\ud800"`), reason)
	b.addText("payload with a control character in a string", "", b.payload(",\"name\":\"a\nb\""), reason)
	b.addText("payload with a number that no float64 holds", "", b.payload(`,"amount":1e400`), reason)
	b.addText("payload with NaN", "", b.payload(`,"amount":NaN`), reason)
	b.addText("payload with a comment", "", b.payload(`/* */`), reason)
	b.addText("payload with a comma too many", "", b.payload(","), reason)
}

// claims adds tokens that are well-formed and correctly signed, but not valid here and now.
func (b *badTokens) claims() {
	const malformed = middleware.ReasonMalformedClaim
	b.addSigned("expired", middleware.ReasonExpired, Expired)
	b.addSigned("exp is zero", middleware.ReasonExpired, Claim("exp", 0), Without("nbf"))
	b.addSigned("no exp", middleware.ReasonNoExpiry, Without("exp"))
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
		b.addSigned(row.name, malformed, Claim("exp", json.RawMessage(row.exp)))
	}
	now := b.iss.now
	b.addSigned("not valid yet", middleware.ReasonNotYetValid, NotYetValid)
	b.addSigned("nbf is a string", malformed, Claim("nbf", "0"))
	b.addSigned("nbf is later than exp", middleware.ReasonLifetime,
		Claim("nbf", now.Add(10*time.Second).Unix()), Claim("exp", now.Add(9*time.Second).Unix()))
	b.addSigned("issued in the future", middleware.ReasonIssuedInFuture,
		Claim("iat", now.Add(time.Hour).Unix()), Without("nbf"))
	b.addSigned("iat is a string", malformed, Claim("iat", "0"))

	b.addSigned("another issuer", middleware.ReasonIssuer, IssuedBy("https://mallory.test"))
	b.addSigned("the issuer with another slash at the end", middleware.ReasonIssuer, IssuedBy(otherSlash(b.iss.name)))
	b.addSigned("the issuer in capitals", middleware.ReasonIssuer, IssuedBy(strings.ToUpper(b.iss.name)))
	b.addSigned("the issuer as a prefix", middleware.ReasonIssuer, IssuedBy(b.iss.name+".mallory.test"))
	b.addSigned("no issuer", middleware.ReasonIssuer, Without("iss"))
	b.addSigned("iss is an array", malformed, Claim("iss", []string{b.iss.name}))

	b.addSigned("another audience", middleware.ReasonAudience, Audience("somebody-else"))
	b.addSigned("other audiences", middleware.ReasonAudience, Audience("somebody", "else"))
	b.addSigned("an id_token: aud is the client", middleware.ReasonAudience,
		Header("typ", "JWT"), Audience("client"), Claim("nonce", "n"), Without("client_id"))
	b.addSigned("no audience", middleware.ReasonAudience, Without("aud"))
	b.addSigned("aud is an empty array", middleware.ReasonAudience, Claim("aud", []string{}))
	b.addSigned("aud is a number", malformed, Claim("aud", 1))
	b.addSigned("aud is an object", malformed, Claim("aud", map[string]any{"api1": true}))
	b.addSigned("aud has a number inside", malformed, Claim("aud", []any{1, "api1"}))

	b.addSigned("sub is a number", malformed, Claim("sub", 1))
	b.addSigned("scope is an object", malformed, Claim("scope", map[string]any{"admin": true}))
	b.addSigned("bound to a key of the client (DPoP)", middleware.ReasonBound,
		Claim("cnf", map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))
}

func otherSlash(issuer string) string {
	if before, ok := strings.CutSuffix(issuer, "/"); ok {
		return before
	}
	return issuer + "/"
}
