package middleware_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// While every turn is taken, remembered tokens and refusals pass, a new token waits, and leaves with its context.
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
