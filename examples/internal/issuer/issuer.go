// Package issuer is the authorization server of the story.
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

	Data    *Data                                   // in place of ConfigFile, for the demo
	OnEvent func(context.Context, authserver.Event) // for tests
	flagSet *flag.FlagSet
}

// Define declares the flags.
func (o *Options) Define(flags *flag.FlagSet) {
	o.flagSet = flags
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:5000", "`address` to listen on")
	flags.StringVar(&o.Issuer, "issuer", "http://127.0.0.1:5000", "the issuer `URL`: what clients and APIs know this server as; left out, it follows a loopback -addr")
	flags.StringVar(&o.DataDir, "data", "", "`directory` for sessions and keys; empty: memory, gone with the process")
	flags.DurationVar(&o.AccessTokenLifetime, "access-token-lifetime", time.Minute, "how long an access token is good")
	flags.DurationVar(&o.RefreshTokenLifetime, "refresh-token-lifetime", 720*time.Hour, "how long a session can be refreshed")
	flags.DurationVar(&o.RefreshGrace, "refresh-grace", 10*time.Second, "how long a replaced refresh token still gets its successor")
	flags.StringVar(&o.Alg, "alg", "ES256", "signature `algorithm`: RS256, PS256, ES256 or EdDSA")
	flags.DurationVar(&o.KeyRotation, "key-rotation", 24*time.Hour, "how long a signing key is in use")
	flags.StringVar(&o.ConfigFile, "config", "", "JSON `file` with clients, users and resources; empty: the demo data")
	flags.DurationVar(&o.Drain, "drain", 0, "how long /readyz says 503 before connections are refused, when the program ends")
}

// follow names the issuer after its address if that was chosen and the name was not: clients that are given the address
// find the endpoints there.
func (o *Options) follow(listener net.Listener) {
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
	// CloseStore closes what holds the sessions, once nothing is served any more.
	CloseStore func() error
	drain      time.Duration
}

// New makes the authorization server.
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
		TokenLifetime: o.AccessTokenLifetime + time.Minute, // what an API with a minute of clock skew still accepts
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

	if err := o.check(cfg); err != nil {
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
	if i.account, err = account(o.Issuer, data.Resources, keys); err != nil {
		return nil, errors.Join(err, closeStore())
	}
	return i, nil
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

// check finds the flag whose value the library refuses, by trying each value alone on top of the defaults.
func (o *Options) check(cfg *authserver.Config) error {
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
			return &program.UsageError{Flag: flag, Err: fmt.Errorf("%v is not a time", o.KeyRotation)}
		}
		if _, err := jwks.NewRotator(rotator); err != nil {
			return &program.UsageError{Flag: flag, Err: err}
		}
	}
	return nil
}

// Handler is the authorization server with what an application puts beside it: its own endpoint to change a password, and
// health.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", i.Server)
	mux.Handle("POST /account/password", i.account.Handler(http.HandlerFunc(i.changePassword)))
	mux.HandleFunc("GET /healthz", program.Healthz)
	mux.HandleFunc("GET /readyz", program.Readyz(program.NotReady(i.Ready)))
	return mux
}

// Serve answers requests from listener, and sweeps out what has expired, until ctx ends; then it closes the store.
func (i *Issuer) Serve(ctx context.Context, listener net.Listener, logger *slog.Logger) error {
	sweeping := make(chan error, 1)
	go func() { sweeping <- i.Run(ctx) }()
	served := program.ServeDraining(ctx, listener, i.Handler(), logger, i.drain)
	if ctx.Err() == nil { // the listener failed; Run still waits for ctx
		return errors.Join(served, i.CloseStore())
	}
	if swept := <-sweeping; swept != nil && !errors.Is(swept, context.Canceled) {
		served = errors.Join(served, swept)
	}
	return errors.Join(served, i.CloseStore())
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
		o.follow(listener)
		server, err := New(*o, logger)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		program.Announce(stdout, listener)
		return server.Serve(ctx, listener, logger)
	}
}
