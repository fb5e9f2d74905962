package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// clocked is a Validator that reads the machine's clock, which is that of the test's bubble, and the clock's owner.
func clocked(t *testing.T) (*middleware.Validator, *authtest.Issuer) {
	iss := authtest.NewIssuer(t)
	cfg := iss.Config()
	cfg.Now, cfg.ClockSkew, cfg.HTTPClient = nil, 0, nil
	cfg.Issuer.Keys = source(iss.IssuerConfig().Keys.Lookup)
	v, err := middleware.NewValidator(cfg)
	require.NoError(t, err)
	return v, iss
}

// A cached token ends with its last nanosecond by the machine's clock, too.
func TestMachineClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, iss := clocked(t)
		raw := iss.Token()
		for range 1000 {
			_, err := v.Validate(t.Context(), raw)
			require.NoError(t, err)
			time.Sleep(300*time.Millisecond - 1)
		}
		time.Sleep(1000 - 1)
		_, err := v.Validate(t.Context(), raw)
		assert.NoError(t, err, "the last nanosecond")
		time.Sleep(time.Nanosecond)
		_, err = v.Validate(t.Context(), raw)
		assert.Equal(t, middleware.ReasonExpired, middleware.Reason(err))
	})
}
