package api1

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/revocation"
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
	Drain         time.Duration

	RevocationList       bool
	RevocationListClient string
	RevocationListSecret string // from the environment: a flag would show it to everybody who lists the processes
	WhenStale            string

	Client  *http.Client // for discovery and the key set; nil: the library's own
	flagSet *flag.FlagSet
}

// Define declares the flags.
func (o *Options) Define(flags *flag.FlagSet) {
	o.flagSet = flags
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:5001", "`address` to listen on")
	flags.StringVar(&o.Issuer, "issuer", "http://127.0.0.1:5000", "`URL` of the issuer whose tokens are accepted")
	flags.StringVar(&o.Audience, "audience", "api1", "this API's `name`: a token's aud must contain it")
	flags.DurationVar(&o.Skew, "skew", time.Minute, "clock skew: for how long a token is accepted after exp")
	flags.BoolVar(&o.RequireExp, "require-exp", true, "reject a token without exp")
	flags.StringVar(&o.RequiredScope, "required-scope", "", "`scopes` that /identity needs, separated by spaces")
	flags.StringVar(&o.Algs, "algs", "", "comma-separated `algorithms` to accept; empty: RS256,PS256,ES256,EdDSA")
	flags.StringVar(&o.Types, "types", "", "comma-separated token `types` (the typ header) to accept; empty: the default")
	flags.StringVar(&o.Profile, "profile", "", "empty, or aspnet: validate and answer like ASP.NET Core (whose default skew is 300s)")
	flags.StringVar(&o.Realm, "realm", "api1", "the `realm` of challenges")
	flags.StringVar(&o.CORSOrigin, "cors-origin", "", "an `origin` whose pages may call this API")
	flags.DurationVar(&o.Drain, "drain", 0, "when the program ends: for how long /readyz says 503 before connections are refused")
	flags.BoolVar(&o.RevocationList, "revocation-list", false, "reject access tokens of revoked grants, by the issuer's revocation list")
	flags.StringVar(&o.RevocationListClient, "revocation-list-client", "api1", "the `client` that asks for the revocation list; its secret is in the environment variable API1_SECRET")
	flags.StringVar(&o.WhenStale, "when-stale", "reject", "what to do with tokens while the revocation list is unavailable: `reject` (503; /readyz stays 200) or accept")
}

// config returns the middleware's configuration. An error names the flag whose value the middleware rejects.
func (o *Options) config(logger *slog.Logger) (*middleware.Config, error) {
	cfg := middleware.NewConfig(o.Issuer, o.Audience)
	cfg.ClockSkew = o.Skew
	cfg.RequireExpirationTime = o.RequireExp
	cfg.Realm = o.Realm
	cfg.Logger = logger
	cfg.HTTPClient = o.Client
	if o.Algs != "" {
		cfg.Issuer.Algorithms = strings.Split(o.Algs, ",")
	}
	if o.Types != "" {
		cfg.Issuer.Types = strings.Split(o.Types, ",")
	}
	switch o.Profile {
	case "":
	case "aspnet":
		cfg.Issuer.Profile, cfg.Style = middleware.ASPNET, middleware.StyleASPNET
		if o.left("skew") {
			cfg.ClockSkew = 5 * time.Minute
		}
		if o.left("realm") {
			cfg.Realm = ""
		}
	default:
		return nil, &program.UsageError{Flag: "profile", Err: fmt.Errorf("%q is neither empty nor aspnet", o.Profile)}
	}
	for scope := range strings.FieldsSeq(o.RequiredScope) {
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

// blame finds the flag whose value the middleware rejects, by trying each value alone.
func (o *Options) blame(cfg *middleware.Config) error {
	for _, try := range []struct {
		flag string
		set  func(*middleware.Config)
	}{
		{"issuer", func(c *middleware.Config) { c.Issuer.Audiences = []string{"api1"} }},
		{"audience", func(*middleware.Config) {}},
		{"skew", func(c *middleware.Config) { c.ClockSkew = cfg.ClockSkew }},
		{"algs", func(c *middleware.Config) { c.Issuer.Algorithms = cfg.Issuer.Algorithms }},
		{"types", func(c *middleware.Config) { c.Issuer.Types = cfg.Issuer.Types }},
		{"realm", func(c *middleware.Config) { c.Realm = cfg.Realm }},
	} {
		alone := middleware.NewConfig(cfg.Issuer.Name, cfg.Issuer.Audiences...)
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

// revocationList returns the revocation list, or nil without -revocation-list.
func (o *Options) revocationList(logger *slog.Logger) (*revocation.List, error) {
	when := revocation.WhenStale(o.WhenStale)
	switch {
	case !o.RevocationList:
		for _, name := range []string{"revocation-list-client", "when-stale"} {
			if o.flagSet != nil && !o.left(name) { // whoever sets it believes that revoked grants are rejected
				return nil, &program.UsageError{Flag: name, Err: errors.New("needs -revocation-list")}
			}
		}
		return nil, nil
	case o.RevocationListClient == "":
		return nil, &program.UsageError{Flag: "revocation-list-client", Err: errors.New("must not be empty")}
	case when != revocation.Reject && when != revocation.Accept:
		return nil, &program.UsageError{Flag: "when-stale", Err: fmt.Errorf("%q is neither reject nor accept", o.WhenStale)}
	case o.Skew > 5*time.Minute: // the list drops a grant when an API with that skew no longer accepts its tokens
		return nil, &program.UsageError{Flag: "skew", Err: fmt.Errorf("%v is more than 5m, the most that -revocation-list allows", o.Skew)}
	}
	cfg := revocation.NewConfig(o.Issuer, o.RevocationListClient, o.RevocationListSecret)
	cfg.WhenStale = when
	cfg.HTTPClient = o.Client
	cfg.Logger = logger
	return revocation.New(cfg)
}

// left reports whether a flag could be set and was left at its default.
func (o *Options) left(name string) bool {
	if o.flagSet == nil {
		return false
	}
	given := false
	o.flagSet.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return !given
}
