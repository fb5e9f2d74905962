package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/bearergate/bearergate/examples/internal/program"
)

// A switcher serves a handler that can be stopped and started again: not by answering with errors but by closing its
// port, as when the process were gone.
type switcher struct {
	handler http.Handler
	logger  *slog.Logger
	addr    string

	mu       sync.Mutex
	listener net.Listener // the first one, until it is served
	stop     context.CancelFunc
	stopped  chan error // of the server that runs
}

func newSwitcher(handler http.Handler, listener net.Listener, logger *slog.Logger) *switcher {
	return &switcher{handler: handler, logger: logger, addr: listener.Addr().String(), listener: listener}
}

// on reports whether the server is running.
func (s *switcher) on() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop != nil
}

// set starts or stops the server, and returns when that is done.
func (s *switcher) set(ctx context.Context, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on == (s.stop != nil) {
		return nil
	}
	if !on {
		s.stop()
		s.stop = nil
		return <-s.stopped
	}
	listener := s.listener
	s.listener = nil
	if listener == nil {
		var err error
		if listener, err = program.Listen(ctx, "authserver-addr", s.addr); err != nil {
			return err
		}
	}
	// Not the request's context: the server outlives the button that started it. run stops it.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.stopped = stop, make(chan error, 1)
	stopped := s.stopped
	go func() { stopped <- program.Serve(serving, listener, s.handler, s.logger) }()
	return nil
}

// run serves until ctx ends.
func (s *switcher) run(ctx context.Context) error {
	err := s.set(ctx, true)
	<-ctx.Done()
	return errors.Join(err, s.set(context.WithoutCancel(ctx), false))
}
