package middleware_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// While every turn is taken, cached tokens are accepted and bad ones rejected. A new token waits, no longer than its context lives.
func TestMaxVerifications(t *testing.T) {
	w := newWorld(t)
	w.cfg.MaxVerifications = 2
	v := w.bearer(t).Validator()
	known := w.iss.Token()
	_, err := v.Validate(t.Context(), known)
	require.NoError(t, err)
	leave := v.OccupyVerifications()

	_, err = v.Validate(t.Context(), known)
	assert.NoError(t, err)
	_, err = v.Validate(t.Context(), w.iss.Token(authtest.Expired))
	assert.ErrorIs(t, err, middleware.ErrInvalidToken)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = v.Validate(ctx, w.iss.Token())
	assert.Equal(t, middleware.ReasonCancelled, middleware.Reason(err))
	assert.ErrorIs(t, err, middleware.ErrKeysUnavailable, "nothing is known about the token")
	assert.ErrorIs(t, err, context.DeadlineExceeded)

	var wg sync.WaitGroup
	raw := w.iss.Token()
	wg.Go(func() {
		_, err := v.Validate(t.Context(), raw)
		assert.NoError(t, err, "it has waited for its turn")
	})
	leave()
	wg.Wait()
}

// 0 is no limit.
func TestNoMaxVerifications(t *testing.T) {
	w := newWorld(t)
	w.cfg.MaxVerifications = 0
	_, err := w.bearer(t).Validator().Validate(t.Context(), w.iss.Token())
	assert.NoError(t, err)
}

// After a quarter of a millisecond of forged signatures a turn pauses for as long, so that a flood of them leaves the processor
// to others; good ones make nobody wait.
func TestVerificationsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.MaxVerifications = 1
		v := w.bearer(t).Validator()
		const µs = time.Microsecond
		for _, row := range []struct {
			name   string
			takes  time.Duration
			forged bool
			waits  time.Duration // for the one before
		}{
			{"a good one", 3000 * µs, false, 0},
			{"another", 100 * µs, false, 0},
			{"a forged one", 150 * µs, true, 0},
			{"a good one after little forgery", 100 * µs, false, 0},
			{"a forged one that makes it much", 150 * µs, true, 0},
			{"a good one", 100 * µs, false, 300 * µs},
			{"a good one", 100 * µs, false, 0},
			{"a forged one on a machine that is slow", 90000 * µs, true, 0},
			{"a good one", 100 * µs, false, 500 * µs},
		} {
			assert.Equal(t, row.waits, v.Verification(row.takes, row.forged), row.name)
		}
	})
}

// Only a token that none of the keys verifies is forged, and a pause ends with the request that waits, too.
func TestForgedTokensPause(t *testing.T) {
	w := newWorld(t)
	w.cfg.MaxVerifications = 1
	v := w.bearer(t).Validator()
	known := w.iss.Token()
	n := strings.LastIndexByte(known, '.')
	forged := known[:n+1] + flip(known[n+1:])
	before := v.Forged()
	_, err := v.Validate(t.Context(), known)
	require.NoError(t, err)
	assert.Equal(t, before, v.Forged())
	_, err = v.Validate(t.Context(), forged)
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
	assert.NotEqual(t, before, v.Forged())
	for range 100 { // in turns, pauses between them or not
		_, err := v.Validate(t.Context(), forged)
		require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
		_, err = v.Validate(t.Context(), w.iss.Token())
		require.NoError(t, err)
	}
}
