package middleware_test

import (
	"fmt"
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
	cfg.Keys = source(iss.Terms().Keys.Lookup)
	v, err := middleware.NewValidator(cfg)
	require.NoError(t, err)
	return v, iss
}

// A remembered token ends with its last nanosecond by the machine's clock, too, of which every hit reads only a part.
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

// When the machine's clock is set while a reading of it is in use: a hit near a boundary is judged by the clock itself, and
// the others a millisecond later.
func TestMachineClockIsSet(t *testing.T) {
	for _, row := range []struct {
		before time.Duration // the time by the reading, before exp; the clock says that it is exp
		wait   time.Duration
		want   string
	}{
		{0, 0, middleware.ReasonExpired},
		{time.Second - time.Microsecond, 0, middleware.ReasonExpired},
		{time.Hour, time.Millisecond, middleware.ReasonExpired},
		{-time.Second + time.Microsecond, -time.Millisecond, middleware.ReasonAccepted}, // and the clock that it is a little earlier
		{-24 * time.Hour, -time.Millisecond, middleware.ReasonAccepted},
	} {
		t.Run(fmt.Sprint(row.before, row.wait), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, iss := clocked(t)
				raw := iss.Token()
				_, err := v.Validate(t.Context(), raw)
				require.NoError(t, err)
				time.Sleep(5*time.Minute + min(row.wait, 0))
				v.ReadClock(-row.before)
				time.Sleep(max(row.wait, 0))
				_, err = v.Validate(t.Context(), raw)
				assert.Equal(t, row.want, middleware.Reason(err))
			})
		})
	}
}
