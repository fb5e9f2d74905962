package middleware_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// What is configured oddly or can't be decided never lets a request through, and never says more than is known.
func TestUnusualValuesFailClosed(t *testing.T) {
	for _, row := range []struct {
		name      string
		given     func(cfg *middleware.Config)
		require   middleware.Requirement
		mods      []authtest.Mod
		query     string // in place of the header
		code      int
		challenge string
	}{
		{name: "a negative MaxAge can't be met", require: middleware.Requirement{MaxAge: -1}, mods: []authtest.Mod{authtest.Claim("auth_time", time.Now().Unix())}, code: 401},
		{name: "a MaxAge of half a second is announced as one", require: middleware.Requirement{MaxAge: time.Second / 2}, code: 401, challenge: `max_age="1"`},
		{name: "a MaxAge without end does not wrap", require: middleware.Requirement{MaxAge: math.MaxInt64}, mods: []authtest.Mod{authtest.Claim("auth_time", 1)}, code: 200},
		{name: "a MaxTokenAge without end does not wrap", given: func(c *middleware.Config) { c.Issuer.MaxTokenAge = math.MaxInt64 }, code: 200},
		{name: "RFC 9068 with an empty sub", given: func(c *middleware.Config) { c.Issuer.Profile = middleware.RFC9068 }, mods: []authtest.Mod{authtest.Subject("")}, code: 401},
		{name: "RFC 9068 with an empty client_id", given: func(c *middleware.Config) { c.Issuer.Profile = middleware.RFC9068 }, mods: []authtest.Mod{authtest.Claim("client_id", "")}, code: 401},
		{name: "RFC 9068 with an empty jti", given: func(c *middleware.Config) { c.Issuer.Profile = middleware.RFC9068 }, mods: []authtest.Mod{authtest.Claim("jti", "")}, code: 401},
		{name: "a Check that ran out of time", given: func(c *middleware.Config) {
			c.Check = func(context.Context, *middleware.Token) error {
				return fmt.Errorf("revocations: %w", context.DeadlineExceeded)
			}
		}, code: 503},
		{name: "a query that two readers read differently", given: func(c *middleware.Config) { c.Credentials = middleware.FromQuery }, query: "&access_token=x;y", code: 400},
		{name: "another issuer's token is answered in the style of the Bearer", given: func(c *middleware.Config) {
			c.MoreIssuers = []middleware.Issuer{c.Issuer}
			c.MoreIssuers[0].Profile = middleware.Default
			c.Style, c.Issuer.Name = middleware.StyleASPNET, "https://first.test"
		}, mods: []authtest.Mod{authtest.Expired}, code: 401, challenge: "The token expired at '"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			if row.given != nil {
				row.given(w.cfg)
			}
			r := w.iss.Request("GET", "/", row.mods...)
			if row.query != "" {
				r = httptest.NewRequest("GET", "/?access_token="+w.iss.Token(row.mods...)+row.query, nil)
			}
			rec := serve(w.bearer(t).RequireThat(row.require)(http.Handler(ok)), r)
			assert.Equal(t, row.code, rec.Code)
			assert.Contains(t, rec.Header().Get("WWW-Authenticate"), row.challenge)
		})
	}
}
