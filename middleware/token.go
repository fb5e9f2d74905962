package middleware

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// A Token is an access token that was accepted. It does not hold the token's text, so that printing, logging or
// storing it gives nothing away that opens a door.
//
// Tokens are shared between goroutines and must not be changed. A Token made by hand, for tests with [NewContext], is
// fine: Decode and [Claims] then see its fields.
type Token struct {
	Issuer   string   // iss
	Subject  string   // sub
	ClientID string   // client_id, else azp
	ID       string   // jti
	Audience []string // aud
	Scopes   []string // the values of the issuer's scope claims, in the token's order

	Expiry    time.Time // exp; zero when the token has none
	NotBefore time.Time // nbf; zero when the token has none
	IssuedAt  time.Time // iat; zero when the token has none
	AuthTime  time.Time // auth_time; zero when the token has none
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

// Decode stores all claims of the token in v by encoding/json, with its rules: numbers become float64 in an any.
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

// LogValue shows who the token is about and never the token.
func (t *Token) LogValue() slog.Value {
	if t == nil {
		return slog.StringValue("none")
	}
	return slog.GroupValue(slog.String("iss", t.Issuer), slog.String("sub", t.Subject), slog.Time("exp", t.Expiry))
}

func (t *Token) claims() map[string]any { return map[string]any{"sub": t.Subject} }
