package middleware_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

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

// reference judges as golang-jwt does, with the strictness that encoding/json can give. It cuts dates to seconds: with two seconds
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
		if err := strictJSON(text); err != nil {
			return err
		}
	}
	return nil
}

// strictJSON is one object, valid UTF-8, no member twice at any depth, nothing behind, by encoding/json's own tokens.
func strictJSON(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	tok, err := dec.Token()
	if err != nil || tok != json.Delim('{') {
		return errors.New("not an object")
	}
	if err := members(dec); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something behind")
	}
	return json.Unmarshal(text, &map[string]any{})
}

// members reads the rest of an object.
func members(dec *json.Decoder) error {
	names := map[string]bool{}
	for {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			return nil
		}
		name := tok.(string)
		if names[name] {
			return errors.New("twice")
		}
		names[name] = true
		if err := element(dec); err != nil {
			return err
		}
	}
}

func element(dec *json.Decoder) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('{'):
		return members(dec)
	case json.Delim('['):
		for dec.More() {
			if err := element(dec); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
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
	found, err := w.iss.Terms().Keys.Lookup(context.Background(), w.iss.KeyID(), "ES256")
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

// FuzzJSON: our reader accepts nothing that encoding/json with strict checks refuses.
func FuzzJSON(f *testing.F) {
	for _, p := range payloadSeeds {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, text string) {
		members, ok := middleware.ScanObject(text)
		if !ok {
			return
		}
		if err := strictJSON([]byte(text)); err != nil {
			t.Fatalf("accepted what encoding/json refuses (%v): %q", err, text)
		}
		var same map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &same); err != nil || len(same) != len(members) {
			t.Fatalf("%d members, not %d: %q", len(members), len(same), text)
		}
		for name, raw := range same {
			want := string(raw)
			if raw[0] == '"' {
				_ = json.Unmarshal(raw, &want)
			}
			if got, there := members[name]; !there || got != want {
				t.Fatalf("%q is %q, not %q", name, got, want)
			}
			if got, there := middleware.Find(text, pointer(name)); !there || got != string(raw) {
				t.Fatalf("%q leads to %q, not %q", pointer(name), got, raw)
			}
		}
	})
}

// pointer is the JSON Pointer to a member of the outermost object (RFC 6901 §3).
func pointer(name string) string {
	return "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

var payloadSeeds = []string{
	`{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[1,2,{"c":null}]}}`, `{"a":"\u00e9\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"\u0061":1,"a":2}`,
	`{"a":-0.5e+10}`, `{"a":01}`, `{"a":1e400}`, `{"a":1}x`, " {\n} ", `{"a":tru}`, `{"a":[1,]}`, `{,}`, `{"a"}`, "{\"a\":\"\x00\"}", "\ufeff{}",
	`{"a":"\"\\\/\b\f\n\r\t\u0041"}`, `{"a":"\`, `{"a":"\u12`, `{"a":"\uABcd\u00Ff"}`, `{"a/b~c":1,"":2}`,
	`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, `{"` + strings.Repeat("a", 40) + `":1}`,
}
