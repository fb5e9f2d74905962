package peerbench

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/stretchr/testify/require"
)

// A token is one row of a table of tokens. reason is ours for refusing it.
type token struct{ name, reason, text string }

// badTokens are the attacks of authtest, minted by the world's issuer, together by reason and then by name.
func badTokens(w *world) []token {
	var tokens []token
	first := map[string]int{}
	w.issuer.PublishWeakKeys() // one at a time, see present
	for _, bad := range w.issuer.BadTokens() {
		if _, seen := first[bad.Reason]; !seen {
			first[bad.Reason] = len(first)
		}
		tokens = append(tokens, token{bad.Name, bad.Reason, bad.Token})
	}
	slices.SortFunc(tokens, func(a, b token) int {
		return cmp.Or(cmp.Compare(first[a.reason], first[b.reason]), cmp.Compare(a.name, b.name))
	})
	return tokens
}

// forged reports whether somebody made the token who does not have the issuer's key.
func (t token) forged() bool {
	switch {
	case strings.HasPrefix(t.name, "PS256 with a salt"): // the issuer's, carelessly made
		return false
	case strings.HasPrefix(t.name, "HS256 with"), strings.HasPrefix(strings.ToLower(t.name), "alg none"):
		return true
	}
	return t.reason == middleware.ReasonInvalidSignature || t.name == "a key that the issuer does not have"
}

// goodTokens are what issuers send, and what a resource server should accept.
func goodTokens(w *world) []token {
	exp := w.issuer.Now().Unix() + 300
	mint := func(name string, mods ...authtest.Mod) token { return token{name: name, text: w.issuer.Token(mods...)} }
	return []token{
		mint("RS256", authtest.Algorithm("RS256")),
		mint("PS256", authtest.Algorithm("PS256")),
		mint("ES256"),
		mint("EdDSA", authtest.Algorithm("EdDSA")),
		mint("no `typ`", authtest.Header("typ", nil)),
		mint("`typ: at+jwt`, written as `AT+JWT`", authtest.Header("typ", "AT+JWT")),
		mint("`typ: application/at+jwt` (RFC 9068, Section 4)", authtest.Header("typ", "application/at+jwt")),
		mint("no `kid`, and one key in the key set[^nokid]", authtest.Header("kid", nil)),
		mint("a header member that nobody knows, not critical", authtest.Header("x-tenant", "t1")),
		mint("`jku` in the header, to be ignored", authtest.Header("jku", "https://issuer.test/jwks.json")),
		mint("`aud` is an array, ours the second", authtest.Audience("https://issuer.test/userinfo", "api1")),
		mint("`exp` with decimals (RFC 7519, Section 2)", authtest.Claim("exp", json.RawMessage(strconv.FormatInt(exp, 10)+".5"))),
		mint("`exp` with an exponent", authtest.Claim("exp", json.RawMessage(strconv.FormatInt(exp, 10)+"00e-2"))),
		mint("no `nbf`, no `iat`, no `jti`[^nbf]", authtest.Without("nbf"), authtest.Without("iat"), authtest.Without("jti")),
		mint("expired 30 s ago: clocks differ[^skew]", authtest.Claim("exp", exp-330), authtest.Claim("iat", exp-600), authtest.Claim("nbf", exp-600)),
		mint("issued in 30 s: clocks differ[^skew]", authtest.Claim("iat", exp-270), authtest.Claim("nbf", exp-270)),
		mint("12 KiB of groups", authtest.Claim("groups", strings.Split(strings.Repeat("0123456789abcdef0123456789abcdef ", 265), " "))),
	}
}

// openQuestions are tokens that a resource server can't tell from good ones without asking somebody, or that it may well
// accept: nothing to be proud of, and nothing to be ashamed of, as long as it is known.
func openQuestions(w *world) []token {
	return []token{
		{"a token with `typ: JWT` instead of `at+jwt`", "", w.issuer.Token(authtest.Header("typ", "JWT"))},
		{"an ID token that was issued to this audience (`typ: JWT`, `nonce`, `at_hash`)", "", w.issuer.Token(
			authtest.Header("typ", "JWT"), authtest.Claim("nonce", "n-0S6_WzA2Mj"), authtest.Claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ"))},
		{"a token bound to a DPoP key (`cnf.jkt`), without a proof", "", w.issuer.Token(
			authtest.Claim("cnf", map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))},
		{"a token bound to a client certificate (`cnf.x5t#S256`), without it", "", w.issuer.Token(
			authtest.Claim("cnf", map[string]string{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}))},
		{"a token whose ES256 signature (r, s) was made into (r, n−s)", "", mirrored(w.tb, w.issuer.Token())},
		{"a token that the issuer revoked a moment ago", "", w.issuer.Token()},
	}
}

// mirrored returns token with the other one of its two valid ES256 signatures.
func mirrored(tb testing.TB, token string) string {
	cut := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[cut:])
	require.NoError(tb, err)
	n, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16) // the order of P-256
	s := new(big.Int).SetBytes(signature[32:])
	new(big.Int).Sub(n, s).FillBytes(signature[32:])
	return token[:cut] + base64.RawURLEncoding.EncodeToString(signature)
}

// present sends every token to an API of peer that is new and has its keys, and returns what comes back, by row.
func present(t *testing.T, peer Peer, mint func(*world) []token) (tokens []token, cells []string) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		own := header(w.issuer.Token())
		tokens = mint(w)
		for _, tok := range tokens {
			// The issuer publishes its key and the one that the token names: some of them are there to be refused, and
			// a library that refuses the whole set for one key's sake would otherwise seem to refuse everything.
			named := header(tok.text)
			w.edit = publishOnly(w.tb, own["kid"], named["kid"])
			ctx, cancel := context.WithCancel(t.Context())
			cell := "all refused"
			if err := w.start(ctx, peer); err == nil {
				answer := w.send(tok.text)
				if w.accepts(w.issuer.Token()) {
					cell = verdict(peer, answer)
				}
			}
			cells = append(cells, cell)
			cancel()
			synctest.Wait()
		}
	})
	return tokens, cells
}

// header is the header of a token, or as much as can be read of it.
func header(token string) map[string]any {
	var h map[string]any
	segment, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err == nil {
		_ = json.Unmarshal(text, &h)
	}
	return h
}

// publishOnly leaves the keys with these ids in a key set.
func publishOnly(tb testing.TB, kids ...any) func([]byte) []byte {
	return func(doc []byte) []byte {
		return editKeys(tb, doc, func(keys []map[string]any) []map[string]any {
			return slices.DeleteFunc(keys, func(key map[string]any) bool {
				return !slices.ContainsFunc(kids, func(kid any) bool { return key["kid"] == kid })
			})
		})
	}
}

// printable shows control characters as Go does.
func printable(name string) string {
	return strings.Trim(strconv.Quote(name), `"`)
}

const accepted = "accepted"

// verdict is the cell for the answer to a token: accepted, the status of the refusal, or, of a library without HTTP, error.
func verdict(peer Peer, answer *http.Response) string {
	switch {
	case answer.StatusCode == http.StatusOK:
		return accepted
	case answer.StatusCode == panicked:
		return "no answer"
	case peer.Answers:
		return strconv.Itoa(answer.StatusCode)
	default:
		return "error"
	}
}
