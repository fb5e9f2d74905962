package authtest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bearergate/bearergate/middleware"
)

// An Issuer mints tokens, good and bad, and publishes the keys in process.
type Issuer struct{}

// NewIssuer returns an Issuer. The mods are the defaults of every token that it mints; IssuedBy names the issuer.
func NewIssuer(tb testing.TB, mods ...Mod) *Issuer { return &Issuer{} }

// Name is the issuer identifier.
func (iss *Issuer) Name() string { return "https://issuer.test" }

// Config returns a Config that accepts the tokens of this issuer.
func (iss *Issuer) Config(audience ...string) *middleware.Config {
	return middleware.NewConfig(iss.Name(), audience...)
}

// Client returns an HTTP client that reaches the issuer in process.
func (iss *Issuer) Client() *http.Client { return &http.Client{} }

// Token mints a token.
func (iss *Issuer) Token(mods ...Mod) string { return "" }

// Request returns a request that carries a token.
func (iss *Issuer) Request(method, target string, mods ...Mod) *http.Request {
	return httptest.NewRequest(method, target, nil)
}

// Rotate makes a new key sign from now on; the old one stays published.
func (iss *Issuer) Rotate() {}

// Outage makes discovery and key set fail, or work again.
func (iss *Issuer) Outage(down bool) {}

// Advance moves the clock.
func (iss *Issuer) Advance(d time.Duration) {}

// Now is the issuer's clock.
func (iss *Issuer) Now() time.Time { return time.Now() }

// BadTokens returns classic attacks by name.
func (iss *Issuer) BadTokens() []BadToken { return nil }

// A BadToken is one classic attack.
type BadToken struct {
	Name, Token string
	Err         error
	Reason      string
}
