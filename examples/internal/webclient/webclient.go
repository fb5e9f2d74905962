// Package webclient is the web application of the examples. It signs a user in with the authorization code flow, keeps the
// tokens on the server, and calls Api1 with them. An authclient.Transport, the transport of its HTTP client, answers a 401 by
// refreshing.
package webclient

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/internal/weburl"
	"github.com/bearergate/bearergate/middleware"
)

// Options are the flags of the program.
type Options struct {
	Addr         string
	Issuer       string
	API          string
	ClientID     string
	ClientSecret string
	Scope        string

	Client *http.Client // for the issuer and the API; nil: http.DefaultTransport with no redirects followed

	// OnLogin, if set, is called after every login.
	OnLogin func(client *oauth2.Config, token *oauth2.Token)
}

// Define declares the flags.
func (o *Options) Define(flags *flag.FlagSet) {
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:5002", "`address` to listen on")
	flags.StringVar(&o.Issuer, "issuer", "http://127.0.0.1:5000", "the authorization server's issuer `URL`")
	flags.StringVar(&o.API, "api", "http://127.0.0.1:5001", "`URL` of Api1")
	flags.StringVar(&o.ClientID, "client-id", "mvc client", "this client's `id` at the authorization server")
	flags.StringVar(&o.ClientSecret, "client-secret", "mvc secret", "this client's `secret`")
	flags.StringVar(&o.Scope, "scope", "openid profile email phone address api1 offline_access", "`scopes` to ask for")
}

// App is the web application, an http.Handler.
type App struct {
	options   Options
	issuer    *discovery
	idTokens  *middleware.Validator
	sessions  table[*session]
	logins    table[login]
	redirects map[string]string // by this application's host:port, as a browser may write it
	logger    *slog.Logger
	mux       *http.ServeMux
}

// New returns the application that browsers reach at listener's address. It does no I/O.
func New(o Options, listener net.Addr, logger *slog.Logger) (*App, error) {
	for flag, value := range map[string]string{"issuer": o.Issuer, "api": o.API} {
		if u, err := url.Parse(value); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, &program.UsageError{Flag: flag, Err: fmt.Errorf("%q is not an http or https URL", value)}
		}
	}
	o.API = strings.TrimSuffix(o.API, "/")
	if u, err := url.Parse(o.API); err != nil || u.Scheme == "http" && !weburl.IsLoopback(u.Hostname()) {
		return nil, &program.UsageError{Flag: "api", Err: errors.New("must be https: over http an access token may go to this machine only")}
	}
	if strings.ContainsAny(o.Scope, "\"\\") {
		return nil, &program.UsageError{Flag: "scope", Err: fmt.Errorf("%q has characters that no scope has", o.Scope)}
	}
	if o.ClientID == "" {
		return nil, &program.UsageError{Flag: "client-id", Err: errors.New("must not be empty")}
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}

	// An ID token is validated like any other JWT, with this client as its audience (OpenID Connect Core 1.0, Section
	// 3.1.3.7).
	config := middleware.NewConfig(strings.TrimSuffix(o.Issuer, "/"), o.ClientID)
	config.Issuer.Types = []string{"JWT"}
	config.HTTPClient = o.Client
	config.Logger = logger
	idTokens, err := middleware.NewValidator(config)
	if err != nil {
		return nil, &program.UsageError{Flag: "issuer", Err: err}
	}

	a := &App{
		options:   o,
		issuer:    &discovery{issuer: o.Issuer, client: o.Client},
		idTokens:  idTokens,
		redirects: redirects(listener),
		logger:    logger,
		mux:       http.NewServeMux(),
	}
	a.mux.HandleFunc("GET /{$}", a.home)
	a.mux.HandleFunc("GET /login", a.login)
	a.mux.HandleFunc("GET /signin-oidc", a.callback)
	a.mux.HandleFunc("GET /logout", a.logout)
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	return a, nil
}

// redirects returns the redirect URIs for the two ways to write a loopback address. The Host header only chooses between
// them: it never becomes part of a redirect URI.
func redirects(listener net.Addr) map[string]string {
	_, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return nil
	}
	uris := make(map[string]string)
	for _, host := range []string{listener.String(), "127.0.0.1:" + port, "localhost:" + port} {
		uris[host] = "http://" + host + "/signin-oidc"
	}
	uris[""] = uris[listener.String()]
	return uris
}

func (a *App) redirectURI(r *http.Request) string {
	if uri, ok := a.redirects[r.Host]; ok {
		return uri
	}
	return a.redirects[""]
}

func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	a.mux.ServeHTTP(w, r)
}

// Close releases what New started.
func (a *App) Close() error { return a.idTokens.Close() }

// Main runs the program.
func Main(o *Options) func(context.Context, io.Writer, *slog.Logger) error {
	return func(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
		listener, err := program.Listen(ctx, "addr", o.Addr)
		if err != nil {
			return err
		}
		app, err := New(*o, listener.Addr(), logger)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer app.Close()
		program.Announce(stdout, listener)
		return program.Serve(ctx, listener, app, logger)
	}
}
