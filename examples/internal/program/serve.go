package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Server is an HTTP server with the timeouts that every server needs.
func Server(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// Serve answers requests from listener until ctx ends, then lets the requests under way finish for up to four seconds.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	return ServeDraining(ctx, listener, handler, logger, 0)
}

// ServeDraining is Serve, but it keeps answering for drain after ctx has ended. In that time /readyz says 503 and connections are
// not kept alive, so that a load balancer stops sending requests before they are refused.
func ServeDraining(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger, drain time.Duration) error {
	var draining atomic.Bool
	server := Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() && r.URL.Path == "/readyz" { // HEAD too, which the GET routes of a mux answer
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}), logger)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	draining.Store(true)
	server.SetKeepAlivesEnabled(false)
	select {
	case err := <-failed:
		return err
	case <-time.After(drain):
	}
	// A new context: the one that ended is what asks for the shutdown.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		// What is left never sent a request, as browsers open connections in advance, or never ends.
		return server.Close()
	}
	return err
}

// CheckDrain reports a value of the flag -drain that is out of range.
func CheckDrain(drain time.Duration) error {
	if drain < 0 || drain > time.Minute {
		return &UsageError{Flag: "drain", Err: fmt.Errorf("%v is not between 0s and 1m", drain)}
	}
	return nil
}
