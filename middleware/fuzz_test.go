package middleware_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/internal/strictjson"
	"github.com/bearergate/bearergate/middleware"
)

// FuzzAuthorization: whatever stands in the header, the answer is one of five, and its challenge is well-formed.
func FuzzAuthorization(f *testing.F) {
	w := newWorld(f)
	auth, err := middleware.New(w.cfg)
	require.NoError(f, err)
	f.Cleanup(func() { _ = auth.Close() })
	good := w.iss.Token()
	for _, s := range []string{"", "Bearer", "Bearer ", "bearer " + good, "Bearer " + good + "=", "Basic YTpi", "Bearer a b", "Bearer \x00",
		"Bearer " + good + ", Bearer " + good, "Bearer\t" + good, `Bearer realm="x"`, "DPoP " + good, "Bearer é"} {
		f.Add(s)
	}
	for _, bad := range w.iss.BadTokens() {
		f.Add("Bearer " + bad.Token)
	}
	h := auth.Handler(ok)
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = []string{value}
		rec := serve(h, r)
		switch rec.Code {
		case 200:
			scheme, token, _ := strings.Cut(value, " ")
			if !strings.EqualFold(scheme, "Bearer") || strings.Trim(token, " ") != good {
				t.Fatalf("accepted %q", value)
			}
		case 400, 401, 503:
			says := rec.Header().Get("WWW-Authenticate")
			if rec.Code != 503 && !wellFormed(says) {
				t.Fatalf("%q is not a challenge", says)
			}
		default:
			t.Fatalf("status %d", rec.Code)
		}
	})
}

// wellFormed reports whether s is one Bearer challenge: parameters with quoted values, none twice.
func wellFormed(s string) bool {
	rest, ok := strings.CutPrefix(s, "Bearer ")
	seen := map[string]bool{}
	for ok && rest != "" {
		name, after, found := strings.Cut(rest, "=")
		if !found || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" || seen[name] || !strings.HasPrefix(after, `"`) {
			return false
		}
		seen[name] = true
		end := 1
		for end < len(after) && after[end] != '"' {
			if after[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(after) {
			return false
		}
		if _, ok := unquote(after[:end+1]); !ok {
			return false
		}
		if rest = after[end+1:]; rest != "" {
			if rest, found = strings.CutPrefix(rest, ", "); !found {
				return false
			}
		}
	}
	return ok && len(seen) > 0
}

// reference validates as golang-jwt does, with the strictness that encoding/json can give. It cuts dates to seconds: with two seconds
// more skew than Validate has, Validate must refuse what it refuses; with two seconds less, see sharedReasons.
func reference(raw string, key any, now time.Time, skew time.Duration) error {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("https://issuer.test"), jwt.WithAudience("api1"),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(skew), jwt.WithTimeFunc(func() time.Time { return now }),
		jwt.WithStrictDecoding())
	claims := jwt.MapClaims{}
	tok, err := parser.ParseWithClaims(raw, claims, func(*jwt.Token) (any, error) { return key, nil })
	if err != nil {
		return err
	}
	if _, ok := tok.Header["crit"]; ok {
		return errors.New("crit")
	}
	for i, segment := range strings.Split(raw, ".") {
		text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
		if err != nil || strings.ContainsAny(segment, "\r\n") {
			return errors.New("base64")
		}
		if i == 2 { // the signature
			break
		}
		// FuzzScan compares this reader with encoding/json.
		if err := strictjson.Object(string(text), func(string, strictjson.Value) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// sharedReasons are those for which the reference refuses, too. The others are rules that it has not.
var sharedReasons = []string{middleware.ReasonMalformed, middleware.ReasonAlgorithm, middleware.ReasonIssuer, middleware.ReasonAudience,
	middleware.ReasonExpired, middleware.ReasonNoExpiry, middleware.ReasonNotYetValid, middleware.ReasonIssuedInFuture, middleware.ReasonInvalidSignature}

// FuzzValidate: Validate never panics and never accepts what the reference refuses, nor the other way round. The fuzzer writes header and payload,
// which are then signed, so that it gets past the signature; with sign unset it writes the whole token.
func FuzzValidate(f *testing.F) {
	w := newWorld(f)
	v, err := middleware.NewValidator(w.cfg)
	require.NoError(f, err)
	f.Cleanup(func() { _ = v.Close() })
	require.NoError(f, v.Ready(context.Background()))
	found, err := w.iss.IssuerConfig().Keys.Lookup(context.Background(), w.iss.KeyID(), "ES256")
	require.NoError(f, err)
	key := found[0].Public()
	now := w.iss.Now()

	kid := `"kid":"` + w.iss.KeyID() + `"`
	goodHeader := `{"alg":"ES256","typ":"at+jwt",` + kid + `}`
	goodPayload := goodClaims(&world{t: &testing.T{}, iss: w.iss}, "")
	f.Add(true, goodHeader, goodPayload)
	for _, bad := range w.iss.BadTokens() {
		f.Add(false, bad.Token, "")
		if parts := strings.Split(bad.Token, "."); len(parts) == 3 && len(bad.Token) < 4000 {
			head, err1 := base64.RawURLEncoding.DecodeString(parts[0])
			body, err2 := base64.RawURLEncoding.DecodeString(parts[1])
			if err1 == nil && err2 == nil {
				f.Add(true, string(head), string(body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, sign bool, head, body string) {
		raw := head
		if sign {
			raw = w.iss.TokenOf(head, body)
		}
		tok, err := v.Validate(context.Background(), raw)
		if err != nil {
			if tok != nil {
				t.Fatal("a token with an error")
			}
			if !errors.Is(err, middleware.ErrInvalidToken) {
				t.Fatalf("class of %v", err)
			}
			if middleware.Reason(err) == middleware.ReasonUnknown {
				t.Fatalf("no reason: %v", err)
			}
			if slices.Contains(sharedReasons, middleware.Reason(err)) && reference(raw, key, now, 58*time.Second) == nil {
				t.Fatalf("refused (%v) what the reference accepts: %q %q", err, head, body)
			}
			return
		}
		if err := reference(raw, key, now, 62*time.Second); err != nil {
			t.Fatalf("accepted what the reference refuses (%v): %q %q", err, head, body)
		}
		// What was read is what encoding/json reads.
		var claims struct {
			Iss, Sub, Jti string
			ClientID      string `json:"client_id"`
		}
		if err := tok.Decode(&claims); err != nil {
			t.Fatal(err)
		}
		if claims.Iss != tok.Issuer() || claims.Sub != tok.Subject() || claims.Jti != tok.ID() {
			t.Fatalf("%+v is not %+v", claims, tok)
		}
	})
}

// FuzzB64Token: the verdict is that of the grammar.
func FuzzB64Token(f *testing.F) {
	for _, s := range []string{"", "=", "a=", "abcdefgh", "abcdefg+", "abcdefg,", "abcdefg~==", "ABCDEFG[", "@BCDEFGH", "`bcdefgh", "{bcdefgh",
		"0123456789:;-./,_^`~+*", "\x80bcdefgh", "abcdefgé"} {
		f.Add(s)
	}
	for c := range 256 {
		f.Add("abcdefgh" + string([]byte{byte(c)}) + "ABCDEFGH")
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := strings.TrimRight(s, "=")
		want := text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") == ""
		for _, c := range []byte(text) {
			want = want && strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", c) >= 0
		}
		if middleware.IsB64Token(s) != want {
			t.Fatalf("%q: %v", s, !want)
		}
	})
}
