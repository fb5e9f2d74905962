package program_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/examples/internal/program"
)

func TestReadyz(t *testing.T) {
	for _, row := range []struct {
		name       string
		err        error
		status     int
		retryAfter string
		body       string
	}{
		{"ready", nil, http.StatusOK, "", "ready\n"},
		{"not ready", errors.New("connection to hunter2@db refused"), http.StatusServiceUnavailable, "1", "not ready\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler := program.Readyz(program.NotReady(func(context.Context) error { return row.err }))
			handler(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			assert.Equal(t, row.status, w.Code)
			assert.Equal(t, row.retryAfter, w.Header().Get("Retry-After"))
			assert.Equal(t, row.body, w.Body.String())
		})
	}
}

func TestReadyzGivesUpWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		program.Readyz(program.NotReady(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}))(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	})
}
