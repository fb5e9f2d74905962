package program

import (
	"context"
	"io"
	"net/http"
	"time"
)

// readyTimeout limits one readiness check, so that a probe gets an answer before it gives up itself.
const readyTimeout = 2 * time.Second

// Healthz answers 200: the process is alive.
func Healthz(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// Readyz returns a handler that answers 200 when the program can serve requests, and otherwise 503 with Retry-After. missing
// returns what the program still lacks, or "" when it is ready.
func Readyz(missing func(ctx context.Context) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if what := missing(ctx); what != "" {
			w.Header().Set("Retry-After", "1")
			http.Error(w, what, http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	}
}

// NotReady turns an error of a Ready method into the text for Readyz: "not ready" without the error, which may be internal.
func NotReady(ready func(ctx context.Context) error) func(ctx context.Context) string {
	return func(ctx context.Context) string {
		if ready(ctx) != nil {
			return "not ready"
		}
		return ""
	}
}
