// Package api1 is the resource server of the story: one endpoint that only a good access token opens.
package api1

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/middleware"
)

// Options are the flags of the program.
type Options struct {
	Addr          string
	Issuer        string
	Audience      string
	Skew          time.Duration
	RequireExp    bool
	RequiredScope string
	Algs          string
	Types         string
	Profile       string
	Realm         string
	CORSOrigin    string

	Client  *http.Client // for discovery and the key set; nil: the library's own
	flagSet *flag.FlagSet
}

// Define declares the flags.
func (o *Options) Define(flags *flag.FlagSet) {
	o.flagSet = flags
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:5001", "`address` to listen on")
	flags.StringVar(&o.Issuer, "issuer", "http://127.0.0.1:5000", "`URL` of the issuer whose tokens are accepted")
	flags.StringVar(&o.Audience, "audience", "api1", "the `name` that a token must be meant for")
	flags.DurationVar(&o.Skew, "skew", time.Minute, "clock skew: how long after exp a token is still accepted")
	flags.BoolVar(&o.RequireExp, "require-exp", true, "refuse a token without exp")
	flags.StringVar(&o.RequiredScope, "required-scope", "", "`scopes` that /identity needs, separated by spaces")
	flags.StringVar(&o.Algs, "algs", "", "comma-separated `algorithms` to accept; empty: RS256,PS256,ES256,EdDSA")
	flags.StringVar(&o.Types, "types", "", "comma-separated token `types` (the typ header) to accept; empty: the default")
	flags.StringVar(&o.Profile, "profile", "", "empty, or aspnet: judge and answer like ASP.NET Core (its own default skew is 300s)")
	flags.StringVar(&o.Realm, "realm", "api1", "the `realm` of challenges")
	flags.StringVar(&o.CORSOrigin, "cors-origin", "", "an `origin` whose pages may call this API")
}

// config turns the flags into the middleware's configuration. A flag with a value that the middleware refuses is named.
func (o *Options) config(logger *slog.Logger) (*middleware.Config, error) {
	cfg := middleware.NewConfig(o.Issuer, o.Audience)
	cfg.ClockSkew = o.Skew
	cfg.RequireExpirationTime = o.RequireExp
	cfg.Realm = o.Realm
	cfg.Logger = logger
	cfg.HTTPClient = o.Client
	if o.Algs != "" {
		cfg.Algorithms = strings.Split(o.Algs, ",")
	}
	if o.Types != "" {
		cfg.Types = strings.Split(o.Types, ",")
	}
	switch o.Profile {
	case "":
	case "aspnet":
		cfg.Profile = middleware.ASPNET
		if o.left("skew") {
			cfg.ClockSkew = 5 * time.Minute
		}
		if o.left("realm") {
			cfg.Realm = ""
		}
	default:
		return nil, &program.UsageError{Flag: "profile", Err: fmt.Errorf("%q is neither empty nor aspnet", o.Profile)}
	}
	for _, scope := range strings.Fields(o.RequiredScope) {
		if strings.ContainsAny(scope, "\"\\") {
			return nil, &program.UsageError{Flag: "required-scope", Err: fmt.Errorf("%q is not a scope", scope)}
		}
	}
	if o.Types != "" && slices.Contains(strings.Split(o.Types, ","), "") {
		return nil, &program.UsageError{Flag: "types", Err: fmt.Errorf("%q names an empty type", o.Types)}
	}
	if u, err := url.Parse(o.CORSOrigin); o.CORSOrigin != "" && (err != nil || u.Host == "" || u.Scheme+"://"+u.Host != o.CORSOrigin) {
		return nil, &program.UsageError{Flag: "cors-origin", Err: fmt.Errorf("%q is not an origin, like http://127.0.0.1:5003", o.CORSOrigin)}
	}
	return cfg, o.blame(cfg)
}

// blame finds the flag whose value the middleware refuses, by trying each value alone.
func (o *Options) blame(cfg *middleware.Config) error {
	for _, try := range []struct {
		flag string
		set  func(*middleware.Config)
	}{
		{"issuer", func(c *middleware.Config) { c.Audiences = []string{"api1"} }},
		{"audience", func(*middleware.Config) {}},
		{"skew", func(c *middleware.Config) { c.ClockSkew = cfg.ClockSkew }},
		{"algs", func(c *middleware.Config) { c.Algorithms = cfg.Algorithms }},
		{"types", func(c *middleware.Config) { c.Types = cfg.Types }},
		{"realm", func(c *middleware.Config) { c.Realm = cfg.Realm }},
	} {
		alone := middleware.NewConfig(cfg.Name, cfg.Audiences...)
		try.set(alone)
		auth, err := middleware.New(alone)
		if err != nil {
			return &program.UsageError{Flag: try.flag, Err: err}
		}
		if err := auth.Close(); err != nil {
			return err
		}
	}
	return nil
}

// left tells whether a flag was left at its default by somebody who could have set it.
func (o *Options) left(name string) bool {
	if o.flagSet == nil {
		return false
	}
	given := false
	o.flagSet.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return !given
}

// API is Api1, an http.Handler.
type API struct {
	auth    *middleware.Bearer
	handler http.Handler
}

// New makes Api1 as it is reached at base. It does no I/O: the keys come with the first token, and come back by themselves
// when the issuer does.
func New(o Options, base string, logger *slog.Logger) (*API, error) {
	cfg, err := o.config(logger)
	if err != nil {
		return nil, err
	}
	cfg.Resource = base
	described, err := middleware.New(cfg) // knows where the metadata are
	if err != nil {
		return nil, err
	}
	auth := described
	if cfg.Profile == middleware.ASPNET {
		cfg.Resource = "" // Api1's challenges have no resource_metadata
		if auth, err = middleware.New(cfg); err != nil {
			return nil, errors.Join(err, described.Close())
		}
	}

	mux := http.NewServeMux()
	protect := auth.Require(strings.Fields(o.RequiredScope)...)
	mux.Handle("GET /identity", protect(http.HandlerFunc(identity)))
	mux.HandleFunc("GET /public", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "open to everybody\n") })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := auth.Ready(ctx); err != nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "no keys yet", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	path, metadata := described.Metadata()
	mux.Handle("GET "+path, metadata)
	return &API{auth: auth, handler: cors(o.CORSOrigin, mux)}, nil
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Close ends the fetching of keys.
func (a *API) Close() error { return a.auth.Close() }

// identity answers with the claims of the token that opened the door.
func identity(w http.ResponseWriter, r *http.Request) {
	claims, err := middleware.Claims[map[string]json.RawMessage](r.Context())
	if err != nil {
		http.Error(w, "no claims", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(claims)
}

// cors lets the pages of one origin call the API and read why it refused.
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
		listener, err := program.Listen(ctx, "addr", o.Addr)
		if err != nil {
			return err
		}
		api, err := New(*o, program.URL(listener), logger)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer api.Close()
		program.Announce(stdout, listener)
		return program.Serve(ctx, listener, api, logger)
	}
}
