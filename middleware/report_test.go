package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// What is logged: ordinary rejections at Debug, suspicious ones at Warn, what was not authenticated as unverified, acceptance not at all.
func TestLog(t *testing.T) {
	for _, row := range []struct {
		name  string
		given setting
		ask   asking
		level string // "" for nothing
		has   string
	}{
		{"accepted", nil, mint(), "", ""},
		{"no token", nil, header(), "DEBUG", `"msg":"no access token"`},
		{"expired", nil, mint(authtest.Expired), "DEBUG", `"unverified":{"alg":"ES256","kid":"ES256-1","iss":"https://issuer.test","sub":"alice"}`},
		{"wrong audience", nil, mint(authtest.Audience("x")), "DEBUG", `"reason":"wrong_audience"`},
		{"unknown key", nil, mint(authtest.Header("kid", "x")), "DEBUG", `"kid":"x"`},
		{"bad signature", nil, segment(2, to(zeros(64))), "WARN", `"unverified":{`},
		{"alg none", nil, headed(`{"alg":"none"}`), "WARN", `"alg":"none"`},
		{"crit", nil, also(`"crit":["x"]`), "WARN", `"reason":"critical_header"`},
		{"a folded name", nil, claiming(`"EXP":1`), "WARN", `"reason":"folded_claim"`},
		{"an unfit key", wrongKey, mint(), "WARN", `"reason":"unfit_key"`},
		{"scope", needs("a"), mint(), "DEBUG", `"token":{"iss":"https://issuer.test","sub":"alice"`},
		{"refused by Check", check(errRevoked), mint(), "DEBUG", `"token":{"iss":"https://issuer.test"`},
		{"Check can't decide", check(errOutage), mint(), "DEBUG", `"reason":"check_unavailable"`},
		{"no keys", keys(failingSource), mint(), "DEBUG", `"reason":"keys_unavailable"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			w.cfg.Issuer.Keys = w.iss.IssuerConfig().Keys // whose own log is not ours
			w.route = nil
			if row.given != nil {
				row.given(w)
			}
			var log logText
			w.cfg.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			auth := w.bearer(t)
			h := auth.Handler(ok)
			if w.route != nil {
				h = w.route(auth)(ok)
			}
			r := row.ask(w)
			serve(h, r)
			if row.level == "" {
				assert.Empty(t, log.String())
				return
			}
			var line struct{ Level string }
			require.NoError(t, json.Unmarshal([]byte(log.String()), &line), "one line")
			assert.Equal(t, row.level, line.Level)
			assert.Contains(t, log.String(), row.has)
		})
	}
}

// Whatever one does with a Token, its text does not come out; nor do its claims by printing.
func TestTokenIsSafeToPrint(t *testing.T) {
	w := newWorld(t)
	raw := w.iss.Token(authtest.Claim("pin", "1234-secret"))
	tok, err := w.bearer(t).Validator().Validate(t.Context(), raw)
	require.NoError(t, err)
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %q %d %x\n", tok, tok, tok, tok, tok, tok, tok)
	fmt.Fprintf(&out, "%v %+v %#v %s\n", *tok, *tok, *tok, *tok)
	fmt.Fprintln(&out, []any{tok, struct{ T *middleware.Token }{tok}})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "token", tok, "tokens", []*middleware.Token{tok})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "token", tok, "tokens", []*middleware.Token{tok})
	auth := w.bearer(t)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	serve(auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.Header = nil // which has the token of course
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		fmt.Fprintf(&out, "%v %+v %#v %s %q\n", r.Context(), r.Context(), r.Context(), r.Context(), r.Context())
		fmt.Fprintf(&out, "%v %+v %#v %s %v %+v %#v\n", ctx, ctx, ctx, ctx, r, r, *r)
	})), r)
	encoded, err := json.Marshal([]any{tok})
	require.NoError(t, err)
	out.Write(encoded)
	for part := range strings.SplitSeq(raw, ".") {
		assert.NotContains(t, out.String(), part)
	}
	assert.NotContains(t, out.String(), "1234-secret")
	assert.Contains(t, out.String(), `token of "alice" from "https://issuer.test"`)
	var nobody *middleware.Token
	assert.Equal(t, "none", nobody.LogValue().String())
}

// The zero Token says nothing, and opens nothing.
func TestZeroToken(t *testing.T) {
	var tok middleware.Token
	for _, s := range []string{tok.Issuer(), tok.Subject(), tok.ClientID(), tok.ID(), tok.ACR(), tok.Type(), tok.Algorithm(), tok.KeyID()} {
		assert.Empty(t, s)
	}
	for _, at := range []time.Time{tok.Expiry(), tok.NotBefore(), tok.IssuedAt(), tok.AuthTime()} {
		assert.True(t, at.IsZero())
	}
	assert.Nil(t, tok.Audience())
	assert.Nil(t, tok.Scopes())
	assert.True(t, tok.HasScope() && !tok.HasScope("a") && !tok.HasAudience(""))
	var claims map[string]any
	assert.ErrorContains(t, tok.Decode(&claims), "middleware: claims don't fit")
	assert.Equal(t, `token of "" from ""`, fmt.Sprint(&tok))
	assert.NotPanics(t, func() { tok.LogValue() })
	_, found := middleware.FromContext(middleware.NewContext(t.Context(), nil))
	assert.False(t, found)
}

// What the methods say is what the token says.
func TestTokenSaysWhatWasSigned(t *testing.T) {
	w := newWorld(t)
	tok, err := w.bearer(t).Validator().Validate(t.Context(), w.iss.Token(authtest.Scope("a", "b"), authtest.Claim("acr", "gold"),
		authtest.Claim("auth_time", 5), authtest.Claim("jti", "7"), authtest.Claim("nbf", 6.25)))
	require.NoError(t, err)
	now := w.iss.Now()
	assert.Equal(t, []string{w.iss.Name(), "alice", "client", "7", "gold", "at+jwt", "ES256", w.iss.KeyID()},
		[]string{tok.Issuer(), tok.Subject(), tok.ClientID(), tok.ID(), tok.ACR(), tok.Type(), tok.Algorithm(), tok.KeyID()})
	assert.Equal(t, []time.Time{now.Add(5 * time.Minute).UTC(), time.Unix(6, 25e7).UTC(), now.UTC(), time.Unix(5, 0).UTC()},
		[]time.Time{tok.Expiry(), tok.NotBefore(), tok.IssuedAt(), tok.AuthTime()})
	assert.Equal(t, []string{"a", "b"}, tok.Scopes())
	assert.Equal(t, []string{"api1"}, tok.Audience())
	assert.True(t, tok.HasScope("a", "b") && tok.HasScope() && !tok.HasScope("a", "c"))
	assert.True(t, tok.HasAudience("api1") && !tok.HasAudience("api"))

	var claims struct {
		Scope string
		Nbf   float64
	}
	require.NoError(t, tok.Decode(&claims))
	assert.Equal(t, "a b", claims.Scope)
	assert.InDelta(t, 6.25, claims.Nbf, 0)
	var wrong struct{ Sub int }
	assert.ErrorContains(t, tok.Decode(&wrong), "middleware: claims don't fit")
}
