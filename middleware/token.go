package middleware

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/bearergate/bearergate/internal/jws"
)

// A Token is an access token that was accepted. It comes from a [Validator] or a [Bearer], and never changes: all
// requests that present the same token share it, and it is safe for concurrent use. Slices that it returns are the
// caller's own.
//
// It does not hold the token's text, so that printing, logging or storing it reveals nothing that grants access. The
// zero Token has no claims: its methods return zero values. Tests of handlers, of Check and of Allow get tokens from
// package authtest.
type Token struct {
	payload                            string // the claims as they were signed; the other strings are parts of it
	header                             jws.Header
	issuer, subject, clientID, id, acr string
	audience, scopes                   []string
	times                              times
}

// Issuer is iss.
func (t *Token) Issuer() string { return t.issuer }

// Subject is sub, empty when the token has none.
func (t *Token) Subject() string { return t.subject }

// ClientID is client_id, or azp where there is no client_id.
func (t *Token) ClientID() string { return t.clientID }

// ID is jti.
func (t *Token) ID() string { return t.id }

// Audience is aud, as a copy. [Token.HasAudience] asks without one.
func (t *Token) Audience() []string { return slices.Clone(t.audience) }

// Scopes are the values of the issuer's scope claims, in the token's order, as a copy. [Token.HasScope] asks without
// one.
func (t *Token) Scopes() []string { return slices.Clone(t.scopes) }

// Expiry is exp in UTC; zero when the token has none.
func (t *Token) Expiry() time.Time { return t.times.expiry }

// NotBefore is nbf in UTC; zero when the token has none.
func (t *Token) NotBefore() time.Time { return t.times.notBefore }

// IssuedAt is iat in UTC; zero when the token has none.
func (t *Token) IssuedAt() time.Time { return t.times.issued }

// AuthTime is auth_time in UTC, when the user authenticated; zero when the token has none.
func (t *Token) AuthTime() time.Time { return t.times.authenticated }

// ACR is acr, the authentication context class.
func (t *Token) ACR() string { return t.acr }

// Type is typ of the header, as sent.
func (t *Token) Type() string { return t.header.Type }

// Algorithm is alg of the header.
func (t *Token) Algorithm() string { return t.header.Algorithm }

// KeyID is kid of the header.
func (t *Token) KeyID() string { return t.header.KeyID }

// HasScope reports whether the token has every one of the scopes; with none given it reports true.
func (t *Token) HasScope(scopes ...string) bool {
	for _, s := range scopes {
		if !slices.Contains(t.scopes, s) {
			return false
		}
	}
	return true
}

// HasAudience reports whether aud contains name, exactly.
func (t *Token) HasAudience(name string) bool { return slices.Contains(t.audience, name) }

// Decode stores all claims of the token in v by encoding/json, with its rules: a number becomes a float64 in an any,
// and a struct's fields match names without regard to case. Its error is encoding/json's, wrapped; the zero Token has
// no claims to decode.
func (t *Token) Decode(v any) error {
	if err := json.Unmarshal([]byte(t.payload), v); err != nil {
		return fmt.Errorf("middleware: claims don't fit %T: %w", v, err)
	}
	return nil
}

// LogValue shows whose token it is and how long it lives: nothing that grants access.
func (t *Token) LogValue() slog.Value {
	if t == nil {
		return slog.StringValue("none")
	}
	attrs := []slog.Attr{slog.String("iss", t.issuer), slog.String("sub", t.subject)}
	if t.clientID != "" {
		attrs = append(attrs, slog.String("client_id", t.clientID))
	}
	if t.id != "" {
		attrs = append(attrs, slog.String("jti", t.id))
	}
	if exp := t.Expiry(); !exp.IsZero() {
		attrs = append(attrs, slog.Time("exp", exp))
	}
	return slog.GroupValue(attrs...)
}

// String returns the subject and the issuer, for printing.
func (t Token) String() string {
	return fmt.Sprintf("token of %q from %q", t.subject, t.issuer)
}

// Format prints String for every verb, so that %+v and %#v don't show the claims.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// size returns no less than what the token takes in memory, in bytes.
func (t *Token) size() int {
	n := int(unsafe.Sizeof(*t)) + len(t.payload) + 16*(cap(t.audience)+cap(t.scopes)) +
		4*(len(t.header.Algorithm)+len(t.header.Type)+len(t.header.KeyID)) + 64
	if strings.IndexByte(t.payload, '\\') >= 0 {
		n += 4 * len(t.payload) // strings with escapes are copies, of 16 bytes for each that has 5 characters or more
	}
	return n + n/6
}
