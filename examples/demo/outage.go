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

// A stoppableServer can be stopped and started again. While it is stopped its port is closed, as if the process were gone.
type stoppableServer struct {
	handler http.Handler
	logger  *slog.Logger
	addr    string

	mu       sync.Mutex
	listener net.Listener // the first one, until it is served
	stop     context.CancelFunc
	stopped  chan error // of the server that runs
}

func newStoppableServer(handler http.Handler, listener net.Listener, logger *slog.Logger) *stoppableServer {
	return &stoppableServer{handler: handler, logger: logger, addr: listener.Addr().String(), listener: listener}
}

// running reports whether the server is running.
func (s *stoppableServer) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop != nil
}

// setRunning starts or stops the server, and returns when that is done.
func (s *stoppableServer) setRunning(ctx context.Context, on bool) error {
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
	// Not the request's context: the server runs on after the request that started it. run stops it.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.stopped = stop, make(chan error, 1)
	stopped := s.stopped
	go func() { stopped <- program.Serve(serving, listener, s.handler, s.logger) }()
	return nil
}

// run serves until ctx ends.
func (s *stoppableServer) run(ctx context.Context) error {
	err := s.setRunning(ctx, true)
	<-ctx.Done()
	return errors.Join(err, s.setRunning(context.WithoutCancel(ctx), false))
}
