package middleware_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// What is logged: ordinary refusals at Debug, suspicious ones at Warn, hearsay as unverified, acceptance not at all.
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
		{"Check skipped", all(check(errOutage), with(failOpen)), mint(), "WARN", `"msg":"access token accepted without Check"`},
		{"no keys", keys(failingSource), mint(), "DEBUG", `"reason":"keys_unavailable"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			w.cfg.Keys = w.iss.Terms().Keys // whose own log is not ours
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
	encoded, err := json.Marshal(tok)
	require.NoError(t, err)
	out.Write(encoded)
	for _, part := range strings.Split(raw, ".") {
		assert.NotContains(t, out.String(), part)
	}
	assert.NotContains(t, out.String(), "1234-secret")
	assert.Contains(t, out.String(), `token of "alice" from "https://issuer.test"`)
	var nobody *middleware.Token
	assert.Equal(t, "none", nobody.LogValue().String())
}

// A Token made by hand behaves like one that was judged.
func TestTokenByHand(t *testing.T) {
	w := newWorld(t)
	judged, err := w.bearer(t).Validator().Validate(t.Context(), w.iss.Token(authtest.Scope("a", "b"), authtest.Claim("acr", "gold"), authtest.Claim("auth_time", 5)))
	require.NoError(t, err)
	hand := &middleware.Token{Issuer: judged.Issuer, Subject: judged.Subject, ClientID: judged.ClientID, ID: judged.ID, Audience: []string{"api1"},
		Scopes: judged.Scopes, Expiry: judged.Expiry, NotBefore: judged.NotBefore, IssuedAt: judged.IssuedAt, AuthTime: judged.AuthTime, ACR: judged.ACR}
	var a, b map[string]any
	require.NoError(t, judged.Decode(&a))
	require.NoError(t, hand.Decode(&b))
	a["aud"] = []any{a["aud"]}
	assert.Equal(t, a, b)
	assert.True(t, hand.HasScope("a", "b") && hand.HasScope() && !hand.HasScope("a", "c"))
	assert.True(t, hand.HasAudience("api1") && !hand.HasAudience("api"))

	var wrong struct{ Sub int }
	assert.ErrorContains(t, judged.Decode(&wrong), "middleware: claims don't fit")
	ctx := middleware.NewContext(t.Context(), hand)
	claims, err := middleware.Claims[struct{ Scope string }](ctx)
	require.NoError(t, err)
	assert.Equal(t, "a b", claims.Scope)
	_, found := middleware.FromContext(middleware.NewContext(t.Context(), nil))
	assert.False(t, found)
}
