// Package api1 is the resource server of the examples: GET /identity needs a valid access token.
package api1

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/revocation"
)

// API is Api1, an http.Handler.
type API struct {
	auth    *middleware.Bearer
	revoked *revocation.List // nil for none
	handler http.Handler
}

// New returns the Api1 that clients reach at base. It does no I/O: the keys are fetched for the first token, and again when the
// issuer comes back.
func New(o Options, base string, logger *slog.Logger) (*API, error) {
	cfg, err := o.config(logger)
	if err != nil {
		return nil, err
	}
	revoked, err := o.revocationList(logger)
	if err != nil {
		return nil, err
	}
	if revoked != nil {
		cfg.Check = revoked.Check
	}
	cfg.Resource = base
	described, err := middleware.New(cfg) // serves the metadata document
	if err != nil {
		return nil, err
	}
	auth := described
	if cfg.Style == middleware.StyleASPNET {
		cfg.Resource = "" // Api1's challenges have no resource_metadata
		if auth, err = middleware.New(cfg); err != nil {
			return nil, errors.Join(err, described.Close())
		}
	}

	a := &API{auth: auth, revoked: revoked}
	mux := http.NewServeMux()
	protect := auth.Require(strings.Fields(o.RequiredScope)...)
	mux.Handle("GET /identity", protect(http.HandlerFunc(identity)))
	mux.HandleFunc("GET /public", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "open to everybody\n") })
	mux.HandleFunc("GET /healthz", program.Healthz)
	mux.HandleFunc("GET /readyz", program.Readyz(a.missing))
	path, metadata := described.Metadata()
	mux.Handle("GET "+path, metadata)
	a.handler = cors(o.CORSOrigin, mux)
	return a, nil
}

// missing returns what is still needed to validate tokens: the keys and, if it is wanted, the revocation list.
func (a *API) missing(ctx context.Context) string {
	switch {
	case a.auth.Ready(ctx) != nil:
		return "no keys yet"
	case a.revoked != nil && a.revoked.Ready(ctx) != nil:
		return "no revocation list yet"
	}
	return ""
}

// Run keeps the revocation list up to date until ctx ends; it returns ctx's error.
func (a *API) Run(ctx context.Context) error {
	if a.revoked == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return a.revoked.Run(ctx)
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Close stops fetching keys.
func (a *API) Close() error { return a.auth.Close() }

// identity answers with the claims of the request's token.
func identity(w http.ResponseWriter, r *http.Request) {
	claims, err := middleware.Claims[map[string]json.RawMessage](r.Context())
	if err != nil {
		http.Error(w, "no claims", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(claims)
}

// cors lets the pages of one origin call the API and read its challenges.
func cors(origin string, next http.Handler) http.Handler {
	if origin == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") != origin {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "GET")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Main runs the program.
func Main(o *Options) func(context.Context, io.Writer, *slog.Logger) error {
	return func(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
		if err := program.CheckDrain(o.Drain); err != nil {
			return err
		}
		listener, err := program.Listen(ctx, "addr", o.Addr)
		if err != nil {
			return err
		}
		o.RevocationListSecret = cmp.Or(os.Getenv("API1_SECRET"), "api1 secret") // that of the demo data
		api, err := New(*o, program.URL(listener), logger)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer api.Close()
		// The list is followed as long as requests are answered, also after ctx has ended.
		running, stop := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan error, 1)
		go func() { ended <- api.Run(running) }()
		program.Announce(stdout, listener)
		err = program.ServeDraining(ctx, listener, api, logger, o.Drain)
		stop()
		if ran := <-ended; !errors.Is(ran, context.Canceled) {
			err = errors.Join(err, ran)
		}
		return err
	}
}
