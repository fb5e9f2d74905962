package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/examples/internal/api1"
	"github.com/bearergate/bearergate/examples/internal/issuer"
	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/examples/internal/webclient"
)

// settings are what differs between the story in the terminal and the live page.
type settings struct {
	issuerAddr, clientAddr string
	lifetime               time.Duration
	apis                   []apiSettings
}

// apiSettings make one Api1.
type apiSettings struct {
	name       string
	addr       string
	skew       time.Duration
	profile    string
	requireExp bool
}

// servers are the programs of the story in one process. Each has its own listener, and they speak HTTP with one another.
type servers struct {
	issuer     *issuer.Issuer
	issuerURL  string
	authServer *stoppableServer // in front of issuer
	apis       []string         // their URLs
	client     *webclient.App
	clientURL  string

	ended   chan error
	stop    context.CancelFunc
	count   int
	onLogin func(*oauth2.Config, *oauth2.Token) // is called after each login at the web client
}

// start opens all listeners and serves them until ctx ends or one of them fails. front returns what the web client's port
// serves; it is called when all servers behind it exist.
func start(ctx context.Context, set settings, logger *slog.Logger, front func(context.Context, *servers) (http.Handler, error)) (_ *servers, err error) {
	ctx, stop := context.WithCancel(ctx)
	s := &servers{ended: make(chan error, 4+len(set.apis)), stop: stop}
	var open []net.Listener
	defer func() {
		if err == nil {
			return
		}
		stop()
		for _, l := range open {
			_ = l.Close() // running servers close theirs too; closing twice is harmless
		}
	}()
	listen := func(name, addr string) (net.Listener, error) {
		l, err := program.Listen(ctx, name, addr)
		if err == nil {
			open = append(open, l)
		}
		return l, err
	}
	issuerListener, err := listen("authserver-addr", set.issuerAddr)
	if err != nil {
		return nil, err
	}
	s.issuerURL = program.URL(issuerListener)
	clientListener, err := listen("client-addr", set.clientAddr)
	if err != nil {
		return nil, err
	}
	s.clientURL = program.URL(clientListener)
	apiListeners := make([]net.Listener, len(set.apis))
	for i, api := range set.apis {
		if apiListeners[i], err = listen("api-addr", api.addr); err != nil {
			return nil, err
		}
		s.apis = append(s.apis, program.URL(apiListeners[i]))
	}

	data := issuer.Demo()
	for i := range data.Clients { // the web client may listen on another port than the demo data's
		if data.Clients[i].ID == "mvc client" {
			data.Clients[i].RedirectURIs = append(data.Clients[i].RedirectURIs, redirectURI(s.clientURL))
		}
	}
	if s.issuer, err = issuer.New(issuer.Options{
		Issuer: s.issuerURL, Alg: "ES256", AccessTokenLifetime: set.lifetime, RefreshTokenLifetime: 720 * time.Hour,
		RefreshGrace: 10 * time.Second, KeyRotation: 24 * time.Hour, Data: &data,
	}, logger); err != nil {
		if usage := (*program.UsageError)(nil); errors.As(err, &usage) && usage.Flag == "issuer" {
			usage.Flag = "authserver-addr" // the issuer's name is made from it
		}
		return nil, err
	}
	if s.client, err = webclient.New(webclient.Options{
		Issuer: s.issuerURL, API: s.apis[0], ClientID: "mvc client", ClientSecret: "mvc secret",
		Scope: "openid profile email phone address api1 offline_access",
		OnLogin: func(client *oauth2.Config, token *oauth2.Token) {
			if s.onLogin != nil {
				s.onLogin(client, token)
			}
		},
	}, clientListener.Addr(), logger); err != nil {
		return nil, err
	}
	apis := make([]*api1.API, len(set.apis))
	for i, api := range set.apis {
		if apis[i], err = api1.New(api1.Options{
			Issuer: s.issuerURL, Audience: "api1", Skew: api.skew, Profile: api.profile, RequireExp: api.requireExp, Realm: "api1",
		}, s.apis[i], logger); err != nil {
			return nil, err
		}
	}

	s.authServer = newStoppableServer(s.issuer.Handler(), issuerListener, logger)
	page, err := front(ctx, s)
	if err != nil {
		return nil, err
	}
	s.serve(func() error { return s.issuer.Run(ctx) }, nil)
	s.serve(func() error { return s.authServer.run(ctx) }, s.issuer.CloseStore)
	for i, api := range apis {
		s.serve(func() error { return program.Serve(ctx, apiListeners[i], api, logger) }, api.Close)
	}
	s.serve(func() error { return program.Serve(ctx, clientListener, page, logger) }, s.client.Close)
	return s, nil
}

func (s *servers) serve(run, closeAfter func() error) {
	s.count++
	go func() {
		err := run()
		if errors.Is(err, context.Canceled) {
			err = nil // all of them end that way
		}
		if closeAfter != nil {
			err = errors.Join(err, closeAfter())
		}
		s.ended <- err
	}()
}

// wait returns when all servers have ended. When one ends, it ends the others.
func (s *servers) wait() error {
	var errs []error
	for range s.count {
		errs = append(errs, <-s.ended)
		s.stop()
	}
	return errors.Join(errs...)
}

func redirectURI(client string) string { return client + "/signin-oidc" }
