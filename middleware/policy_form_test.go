package middleware_test

import (
	"net/http"
	"strings"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

const (
	malformedToken       = "The access token is malformed"
	malformedCredentials = "The credentials are malformed"
)

// segment replaces the n-th segment of a good token.
func segment(n int, change func(string) string) asking {
	return text(func(good string) string {
		parts := strings.Split(good, ".")
		parts[n] = change(parts[n])
		return strings.Join(parts, ".")
	})
}

func to(s string) func(string) string { return func(string) string { return s } }

func add(s string) func(string) string { return func(old string) string { return old + s } }

// lastBit changes the last bit of the last character, which for 64 bytes is a bit that no byte needs.
func lastBit(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	n := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + alphabet[n^1:n^1+1]
}

// Step 1: size, three non-empty segments, strict base64url. What is no b64token at all is a malformed request.
var formPolicies = []policy{
	{"a good token", nil, mint(), 200, "accepted", nothing},
	{"one word", nil, text(to("opaque")), 401, "malformed", invalid(malformedToken)},
	{"two segments", nil, text(func(s string) string { return s[:strings.LastIndexByte(s, '.')] }), 401, "malformed", invalid(malformedToken)},
	{"four segments", nil, text(add(".AAAA")), 401, "malformed", invalid(malformedToken)},
	{"a dot behind", nil, text(add(".")), 401, "malformed", invalid(malformedToken)},
	{"a dot in front", nil, text(func(s string) string { return "." + s }), 401, "malformed", invalid(malformedToken)},
	{"five segments: a JWE", nil, text(add(".AAAA.AAAA")), 401, "malformed", invalid(malformedToken)},
	{"a thousand dots", nil, text(to(strings.Repeat(".", 1000))), 401, "malformed", invalid(malformedToken)},
	{"two dots", nil, text(to("..")), 401, "malformed", invalid(malformedToken)},
	{"an empty header", nil, segment(0, to("")), 401, "malformed", invalid(malformedToken)},
	{"an empty payload", nil, segment(1, to("")), 401, "malformed", invalid(malformedToken)},
	{"an empty signature", nil, segment(2, to("")), 401, "malformed", invalid(malformedToken)},
	{"padding behind the signature", nil, segment(2, add("==")), 401, "malformed", invalid(malformedToken)},
	{"padding behind the header", nil, segment(0, add("=")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"padding behind the payload", nil, segment(1, add("==")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a stray bit behind the signature", nil, segment(2, lastBit), 401, "malformed", invalid(malformedToken)},
	{"a signature that no byte can encode to", nil, segment(2, to("A")), 401, "malformed", invalid(malformedToken)},
	{"a stray bit behind the signature of an expired token: form comes first", nil, func(w *world) *http.Request {
		return carrying(lastBit(w.iss.Token(authtest.Expired)))
	}, 401, "malformed", invalid(malformedToken)},
	{"a header that is no JSON, and a signature that is no base64url: form comes first", nil, text(to("YWxn.YWxn.A")), 401, "malformed", invalid(malformedToken)},
	{"a header that is no JSON, and a payload that is none: the header comes first", nil, text(to("YWxn.YWxn.YWxn")), 401, "malformed_header", invalid(malformedToken)},
	{"a plus, which is plain base64", nil, segment(2, func(s string) string { return "+" + s[1:] }), 401, "malformed", invalid(malformedToken)},
	{"a slash, which is plain base64", nil, segment(2, func(s string) string { return "/" + s[1:] }), 401, "malformed", invalid(malformedToken)},
	{"a tilde, which a b64token may have", nil, segment(2, func(s string) string { return "~" + s[1:] }), 401, "malformed", invalid(malformedToken)},
	{"a line feed", nil, segment(2, func(s string) string { return s[:9] + "\n" + s[9:] }), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a carriage return", nil, segment(1, func(s string) string { return s[:9] + "\r" + s[9:] }), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a space inside", nil, segment(2, func(s string) string { return s[:9] + " " + s[9:] }), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a tab behind", nil, text(add("\t")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a zero byte", nil, text(add("\x00")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a quote", nil, text(add(`"`)), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a comma", nil, text(add(",x")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a letter outside ASCII", nil, text(add("é")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"16 KiB and a byte", nil, text(func(s string) string { return s + strings.Repeat("A", 16<<10+1-len(s)) }), 401, "too_large", invalid("The access token is too large")},
	{"16 KiB: looked at", nil, text(func(s string) string { return s + strings.Repeat("A", 16<<10-len(s)) }), 401, "invalid_signature", invalid("The signature is invalid")},
	{"a megabyte", nil, text(to(strings.Repeat("A", 1<<20))), 401, "too_large", invalid("The access token is too large")},
	{"more than a configured size", with(func(c *middleware.Config) { c.MaxTokenSize = 100 }), mint(), 401, "too_large", invalid("The access token is too large")},
	{"20 KiB where 32 are configured", with(func(c *middleware.Config) { c.MaxTokenSize = 32 << 10 }), mint(authtest.Claim("pad", strings.Repeat("x", 12<<10))), 200, "accepted", nothing},
	{"the word null", nil, text(to("null")), 401, "malformed", invalid(malformedToken)},
	{"the word undefined", nil, text(to("undefined")), 401, "malformed", invalid(malformedToken)},
	{"equals signs only", nil, text(to("===")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"equals signs in the middle", nil, text(to("a=b")), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"the token twice, with a space between", nil, text(func(s string) string { return s + " " + s }), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"a JSON object in place of a token", nil, text(to(`{"alg":"none"}`)), 400, "malformed_credentials", badRequest(malformedCredentials)},
	{"the JSON serialization", nil, request("GET", func(r *http.Request, good string) {
		parts := strings.Split(good, ".")
		r.Header.Set("Authorization", `Bearer {"payload":"`+parts[1]+`","protected":"`+parts[0]+`","signature":"`+parts[2]+`"}`)
	}), 400, "malformed_credentials", badRequest(malformedCredentials)},
}
