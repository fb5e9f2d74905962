// Package issuer is the demo authorization server.
package issuer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// Options are the flags of the program.
type Options struct {
	Addr                 string
	Issuer               string
	DataDir              string
	AccessTokenLifetime  time.Duration
	RefreshTokenLifetime time.Duration
	RefreshGrace         time.Duration
	Alg                  string
	KeyRotation          time.Duration
	ConfigFile           string
	Drain                time.Duration

	Data    *Data                                   // replaces ConfigFile, for the demo
	OnEvent func(context.Context, authserver.Event) // for tests
	flagSet *flag.FlagSet
}

// Define declares the flags.
func (o *Options) Define(flags *flag.FlagSet) {
	o.flagSet = flags
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:5000", "`address` to listen on")
	flags.StringVar(&o.Issuer, "issuer", "http://127.0.0.1:5000",
		"issuer `URL`, by which clients and APIs know this server; if only a loopback -addr is given, it is that address")
	flags.StringVar(&o.DataDir, "data", "", "`directory` for grants and keys; empty: only in memory")
	flags.DurationVar(&o.AccessTokenLifetime, "access-token-lifetime", time.Minute, "lifetime of access tokens")
	flags.DurationVar(&o.RefreshTokenLifetime, "refresh-token-lifetime", 720*time.Hour,
		"how long a grant can be refreshed")
	flags.DurationVar(&o.RefreshGrace, "refresh-grace", 10*time.Second,
		"how long a replaced refresh token is still answered with its successor")
	flags.StringVar(&o.Alg, "alg", "ES256", "signature `algorithm`: RS256, PS256, ES256 or EdDSA")
	flags.DurationVar(&o.KeyRotation, "key-rotation", 24*time.Hour, "how long a signing key is used")
	flags.StringVar(&o.ConfigFile, "config", "", "JSON `file` with clients, users and resources; empty: the demo data")
	flags.DurationVar(&o.Drain, "drain", 0,
		"at shutdown: how long /readyz answers 503 before the server stops accepting connections")
}

// useAddrAsIssuer makes a loopback address the issuer, if -addr was set and -issuer was not. So clients that are given
// the address find the endpoints there.
func (o *Options) useAddrAsIssuer(listener net.Listener) {
	addr, issuer := false, false
	if o.flagSet != nil {
		o.flagSet.Visit(func(f *flag.Flag) { addr, issuer = addr || f.Name == "addr", issuer || f.Name == "issuer" })
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && addr && !issuer && tcp.IP.IsLoopback() {
		o.Issuer = program.URL(listener)
	}
}

// Issuer is the authorization server with its keys, an http.Handler.
type Issuer struct {
	*authserver.Server
	Keys  *jwks.Rotator
	Users *authserver.UserList

	account *middleware.Bearer // protects the endpoints of an account
	// CloseStore closes the store. Call it when no request is served any more.
	CloseStore func() error
	drain      time.Duration
}

// New returns the authorization server. It opens the store.
func New(o Options, logger *slog.Logger) (*Issuer, error) {
	data, err := o.data()
	if err != nil {
		return nil, err
	}
	users, err := authserver.NewUserList(data.Users...)
	if err != nil {
		return nil, &program.UsageError{Flag: "config", Err: err}
	}

	rotator := jwks.RotatorConfig{
		Algorithm:     o.Alg,
		RotateEvery:   o.KeyRotation,
		TokenLifetime: o.AccessTokenLifetime + time.Minute, // an API with a clock skew of one minute accepts them that long
		Logger:        logger,
	}
	cfg := authserver.NewConfig(o.Issuer)
	cfg.Clients = data.Clients
	cfg.Resources = data.Resources
	cfg.Users = users
	cfg.AccessTokenLifetime = o.AccessTokenLifetime
	cfg.RefreshTokenLifetime = o.RefreshTokenLifetime
	cfg.RefreshIdleLifetime = min(cfg.RefreshIdleLifetime, o.RefreshTokenLifetime)
	cfg.RefreshGrace = o.RefreshGrace
	cfg.Logger = logger
	cfg.OnEvent = o.OnEvent

	if err := o.checkFlags(cfg); err != nil {
		return nil, err
	}
	closeStore, err := o.openStore(cfg, &rotator)
	if err != nil {
		return nil, err
	}
	keys, err := jwks.NewRotator(rotator)
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	cfg.Keys = keys
	server, err := authserver.New(cfg)
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	i := &Issuer{Server: server, Keys: keys, Users: users, CloseStore: closeStore, drain: o.Drain}
	if i.account, err = accountAuth(o.Issuer, data.Resources, keys); err != nil {
		return nil, errors.Join(err, closeStore())
	}
	return i, nil
}

// openStore opens the store that the -data flag names.
func (o *Options) openStore(cfg *authserver.Config, rotator *jwks.RotatorConfig) (closeStore func() error, err error) {
	if o.DataDir == "" {
		return func() error { return nil }, nil
	}
	store, err := boltstore.Open(o.DataDir)
	switch {
	case errors.Is(err, boltstore.ErrInUse), errors.Is(err, boltstore.ErrDamaged):
		return nil, err
	case err != nil:
		return nil, &program.UsageError{Flag: "data", Err: err}
	}
	cfg.Store = store
	cfg.RefreshKeys = store.RefreshKeys()
	rotator.Store = store
	return store.Close, nil
}

func (o *Options) data() (Data, error) {
	switch {
	case o.Data != nil:
		return *o.Data, nil
	case o.ConfigFile != "":
		data, err := Read(o.ConfigFile)
		if err != nil {
			return Data{}, &program.UsageError{Flag: "config", Err: err}
		}
		if len(data.Clients) == 0 {
			return Data{}, &program.UsageError{Flag: "config", Err: fmt.Errorf("%s names no clients", o.ConfigFile)}
		}
		return data, nil
	default:
		return Demo(), nil
	}
}

// checkFlags finds the flag whose value the library rejects, by trying each value alone with the defaults.
func (o *Options) checkFlags(cfg *authserver.Config) error {
	for _, try := range []struct {
		flag string
		set  func(*authserver.Config)
	}{
		{"issuer", func(c *authserver.Config) { c.Issuer = cfg.Issuer }},
		{"access-token-lifetime", func(c *authserver.Config) { c.AccessTokenLifetime = cfg.AccessTokenLifetime }},
		{"refresh-token-lifetime", func(c *authserver.Config) {
			c.AccessTokenLifetime = cfg.AccessTokenLifetime
			c.RefreshTokenLifetime, c.RefreshIdleLifetime = cfg.RefreshTokenLifetime, cfg.RefreshIdleLifetime
		}},
		{"refresh-grace", func(c *authserver.Config) { c.RefreshGrace = cfg.RefreshGrace }},
		{"config", func(c *authserver.Config) { c.Clients, c.Resources, c.Users = cfg.Clients, cfg.Resources, cfg.Users }},
	} {
		alone := authserver.NewConfig("https://issuer.example")
		try.set(alone)
		if _, err := authserver.New(alone); err != nil {
			return &program.UsageError{Flag: try.flag, Err: err}
		}
	}
	for flag, rotator := range map[string]jwks.RotatorConfig{
		"alg":          {Algorithm: o.Alg},
		"key-rotation": {RotateEvery: o.KeyRotation},
	} {
		if flag == "key-rotation" && o.KeyRotation <= 0 {
			return &program.UsageError{Flag: flag, Err: fmt.Errorf("%v is not positive", o.KeyRotation)}
		}
		if _, err := jwks.NewRotator(rotator); err != nil {
			return &program.UsageError{Flag: flag, Err: err}
		}
	}
	return nil
}

// Handler returns the authorization server with endpoints that an application adds: one to change a password, and
// health checks.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", i.Server)
	mux.Handle("POST /account/password", i.account.Handler(http.HandlerFunc(i.changePassword)))
	mux.HandleFunc("GET /healthz", program.Healthz)
	mux.HandleFunc("GET /readyz", program.Readyz(program.NotReady(i.Ready)))
	return mux
}

// Serve answers requests from listener, and sweeps the store, until ctx ends. Then it closes the store.
func (i *Issuer) Serve(ctx context.Context, listener net.Listener, logger *slog.Logger) error {
	sweeping := make(chan error, 1)
	go func() { sweeping <- i.Run(ctx) }()
	served := program.ServeDraining(ctx, listener, i.Handler(), logger, i.drain)
	if ctx.Err() == nil { // the listener failed, and Run waits for ctx
		return errors.Join(served, i.CloseStore())
	}
	if swept := <-sweeping; swept != nil && !errors.Is(swept, context.Canceled) {
		served = errors.Join(served, swept)
	}
	return errors.Join(served, i.CloseStore())
}

// Main returns the main function of the program.
func Main(o *Options) func(context.Context, io.Writer, *slog.Logger) error {
	return func(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
		if err := program.CheckDrain(o.Drain); err != nil {
			return err
		}
		listener, err := program.Listen(ctx, "addr", o.Addr)
		if err != nil {
			return err
		}
		o.useAddrAsIssuer(listener)
		server, err := New(*o, logger)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		program.Announce(stdout, listener)
		return server.Serve(ctx, listener, logger)
	}
}
