package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/bearergate/bearergate/examples/internal/api1"
	"github.com/bearergate/bearergate/examples/internal/issuer"
	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/examples/internal/webclient"
)

// servers are the programs of the story in one process, each behind its own listener: they speak HTTP with one another
// as if they were far apart.
type servers struct {
	issuerURL, apiURL, laxURL, clientURL string
	issuer                               *issuer.Issuer
	ended                                chan error
	stop                                 context.CancelFunc
	running                              int
}

// settings are what the story varies.
type settings struct {
	issuerAddr, apiAddr, clientAddr string
	lifetime, skew                  time.Duration
}

func start(ctx context.Context, s settings, logger *slog.Logger) (_ *servers, err error) {
	ctx, stop := context.WithCancel(ctx)
	out := &servers{ended: make(chan error, 4), stop: stop}
	var listeners []net.Listener
	defer func() {
		if err == nil {
			return
		}
		stop()
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
	}()
	listen := func(addr string) (net.Listener, error) {
		l, err := program.Listen(ctx, addr)
		if err == nil {
			listeners = append(listeners, l)
		}
		return l, err
	}
	issuerListener, err := listen(s.issuerAddr)
	if err != nil {
		return nil, err
	}
	apiListener, err := listen(s.apiAddr)
	if err != nil {
		return nil, err
	}
	laxListener, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	clientListener, err := listen(s.clientAddr)
	if err != nil {
		return nil, err
	}
	out.issuerURL, out.apiURL, out.laxURL, out.clientURL = program.URL(issuerListener), program.URL(apiListener), program.URL(laxListener), program.URL(clientListener)

	data := issuer.Demo()
	for i := range data.Clients { // the same redirect URI, wherever the web client listens today
		if data.Clients[i].ID == "mvc client" {
			data.Clients[i].RedirectURIs = append(data.Clients[i].RedirectURIs, redirectURI(out.clientURL))
		}
	}
	out.issuer, err = issuer.New(issuer.Options{
		Issuer: out.issuerURL, Alg: "ES256", AccessTokenLifetime: s.lifetime, RefreshTokenLifetime: 720 * time.Hour,
		RefreshGrace: 10 * time.Second, KeyRotation: 24 * time.Hour, Data: &data,
	}, logger)
	if err != nil {
		return nil, err
	}
	api, err := api1.New(api1.Options{Issuer: out.issuerURL, Audience: "api1", Skew: s.skew, RequireExp: true, Realm: "api1"}, out.apiURL, logger)
	if err != nil {
		return nil, err
	}
	lax, err := api1.New(api1.Options{Issuer: out.issuerURL, Audience: "api1", Skew: s.skew, RequireExp: false, Realm: "api1"}, out.laxURL, logger)
	if err != nil {
		return nil, err
	}
	client, err := webclient.New(webclient.Options{
		Issuer: out.issuerURL, API: out.apiURL, ClientID: "mvc client", ClientSecret: "mvc secret",
		Scope: "openid profile email phone address api1 offline_access",
	}, clientListener.Addr(), logger)
	if err != nil {
		return nil, err
	}
	serve := func(l net.Listener, h http.Handler, close func() error) {
		out.running++
		go func() { out.ended <- errors.Join(program.Serve(ctx, l, h, logger), close()) }()
	}
	out.running++
	go func() { out.ended <- out.issuer.Serve(ctx, issuerListener, logger) }()
	serve(apiListener, api, api.Close)
	serve(laxListener, lax, lax.Close)
	serve(clientListener, client, client.Close)
	return out, nil
}

// wait returns when all servers have ended; it ends them all when one does.
func (s *servers) wait() error {
	var errs []error
	for range s.running {
		errs = append(errs, <-s.ended)
		s.stop()
	}
	return errors.Join(errs...)
}

func redirectURI(client string) string { return client + "/signin-oidc" }
