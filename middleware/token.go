package middleware

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// A Token is an access token that was accepted. It does not hold the token's text, so that printing, logging or
// storing it gives nothing away that opens a door.
//
// Each request has a Token of its own, so that changing one changes nothing for others; the goroutines of one request share
// it. A Token made by hand, for tests with [NewContext], is fine: Decode and [Claims] then see its fields.
type Token struct {
	Issuer   string   // iss
	Subject  string   // sub
	ClientID string   // client_id, else azp
	ID       string   // jti
	Audience []string // aud
	Scopes   []string // the values of the issuer's scope claims, in the token's order

	Expiry    time.Time // exp; zero when the token has none, like the following
	NotBefore time.Time // nbf
	IssuedAt  time.Time // iat
	AuthTime  time.Time // auth_time
	ACR       string    // acr, the authentication context class

	Type      string // typ of the header, as sent
	Algorithm string // alg of the header
	KeyID     string // kid of the header

	payload string // the claims as they were signed
}

// HasScope reports whether the token has every one of the scopes; with none given it reports true.
func (t *Token) HasScope(scopes ...string) bool {
	for _, s := range scopes {
		if !slices.Contains(t.Scopes, s) {
			return false
		}
	}
	return true
}

// HasAudience reports whether aud contains name, exactly.
func (t *Token) HasAudience(name string) bool { return slices.Contains(t.Audience, name) }

// Decode stores all claims of the token in v by encoding/json, with its rules: a number becomes a float64 in an any,
// and a struct's fields match names without regard to case. Its error is encoding/json's, wrapped.
func (t *Token) Decode(v any) error {
	data := []byte(t.payload)
	if t.payload == "" {
		var err error
		if data, err = json.Marshal(t.claims()); err != nil {
			return fmt.Errorf("middleware: claims of a token made by hand: %w", err)
		}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("middleware: claims don't fit %T: %w", v, err)
	}
	return nil
}

// LogValue shows whose token it is and how long it lives. There is nothing in it that opens a door.
func (t *Token) LogValue() slog.Value {
	if t == nil {
		return slog.StringValue("none")
	}
	attrs := []slog.Attr{slog.String("iss", t.Issuer), slog.String("sub", t.Subject)}
	if t.ClientID != "" {
		attrs = append(attrs, slog.String("client_id", t.ClientID))
	}
	if t.ID != "" {
		attrs = append(attrs, slog.String("jti", t.ID))
	}
	if !t.Expiry.IsZero() {
		attrs = append(attrs, slog.Time("exp", t.Expiry))
	}
	return slog.GroupValue(attrs...)
}

// String is for printing: the subject and the issuer.
func (t Token) String() string {
	return fmt.Sprintf("token of %q from %q", t.Subject, t.Issuer)
}

// Format prints String for every verb, so that %+v and %#v don't show the claims.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// claims are the fields under their names in a token.
func (t *Token) claims() map[string]any {
	c := map[string]any{}
	for name, s := range map[string]string{"iss": t.Issuer, "sub": t.Subject, "client_id": t.ClientID, "jti": t.ID,
		"acr": t.ACR, "scope": strings.Join(t.Scopes, " ")} {
		if s != "" {
			c[name] = s
		}
	}
	for name, at := range map[string]time.Time{"exp": t.Expiry, "nbf": t.NotBefore, "iat": t.IssuedAt, "auth_time": t.AuthTime} {
		if !at.IsZero() {
			c[name] = at.Unix()
		}
	}
	if len(t.Audience) > 0 {
		c["aud"] = t.Audience
	}
	return c
}
