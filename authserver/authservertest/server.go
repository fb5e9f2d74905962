package authservertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// A Server is an authorization server for tests. It embeds the real [authserver.Server]. As an http.Handler use
// the Server itself, because it can lose answers. It is safe for concurrent use.
type Server struct {
	*authserver.Server

	tb      testing.TB
	issuer  string
	secrets map[string]string
	clients map[string]authserver.Client
	people  *people
	keys    *jwks.Rotator
	signer  *signer
	store   *store

	mu     sync.Mutex
	now    time.Time
	drop   int
	events []authserver.Event
}

// New starts a server that ends with the test. Without options it is called https://login.test and knows
//
//   - the client "mvc client" with the secret "mvc secret": code and refresh;
//   - the public client "spa": the same;
//   - the client "worker" with the secret "worker secret": client credentials, and introspection of tokens for api1;
//   - the user "alice", subject "alice-1", whose password is alice;
//   - the resource api1 with the scopes api1, read and write.
//
// All clients may ask for all scopes. The clock starts at the current second. tb may be nil in an Example; errors
// then panic.
func New(tb testing.TB, options ...Option) *Server {
	s := &Server{tb: tb, clients: map[string]authserver.Client{}, now: time.Now().Truncate(time.Second).UTC()}
	set := newSettings()
	for _, o := range options {
		o(set)
	}
	if set.loopback {
		s.listen(set)
	}
	s.issuer, s.people, s.secrets = set.issuer, set.people, set.secrets
	cfg := s.config(set)
	s.injectFaults(cfg)
	srv, err := authserver.New(cfg)
	s.check(err)
	s.Server = srv
	return s
}

// config turns the settings into the server's configuration.
func (s *Server) config(set *settings) *authserver.Config {
	cfg := authserver.NewConfig(set.issuer)
	cfg.Users, cfg.Now, cfg.Clients, cfg.Store = set.people, s.Now, set.clients, nil
	cfg.Resources = map[string][]string{"api1": {"api1", "read", "write"}}
	for _, change := range set.changes {
		change(cfg)
	}
	return cfg
}

// injectFaults puts the faults between the server and what the configuration names.
func (s *Server) injectFaults(cfg *authserver.Config) {
	s.store = newStore(cfg.Store)
	cfg.Store = s.store
	if s.keys = cfg.Keys; s.keys == nil {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		s.check(err)
		s.signer = &signer{Signer: private}
		s.keys, err = jwks.NewRotator(jwks.RotatorConfig{Signer: s.signer, Now: cfg.Now})
		s.check(err)
		cfg.Keys = s.keys
	}
	for _, c := range cfg.Clients {
		s.clients[c.ID] = c
	}
	tell := cfg.OnEvent
	cfg.OnEvent = func(ctx context.Context, e authserver.Event) {
		s.mu.Lock()
		s.events = append(s.events, e)
		s.mu.Unlock()
		if tell != nil {
			tell(ctx, e)
		}
	}
}

// listen starts the loopback listener, whose address is the issuer.
func (s *Server) listen(set *settings) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, r) }))
	if s.tb != nil {
		s.tb.Cleanup(h.Close)
	}
	set.issuer = h.URL
}

// Issuer returns the issuer identifier: https://login.test, or the address of the listener with [Loopback].
func (s *Server) Issuer() string { return s.issuer }

// Keys returns the signing keys.
func (s *Server) Keys() *jwks.Rotator { return s.keys }

// Config returns the configuration of an API that accepts the server's access tokens for one of the audiences: the keys
// come in process and the clock is the server's.
func (s *Server) Config(audience ...string) *middleware.Config {
	cfg := middleware.NewConfig(s.issuer, audience...)
	cfg.Issuer.Keys, cfg.Now = s.keys, s.Now
	return cfg
}

// Now returns the time of the server's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance moves the clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Events returns the events since its last call.
func (s *Server) Events() []authserver.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := slices.Clone(s.events)
	s.events = nil
	return events
}

// check ends the test on an error.
func (s *Server) check(err error) {
	if err == nil {
		return
	}
	s.fatal(strings.TrimPrefix(err.Error(), "authservertest: "))
}

func (s *Server) fatal(text string) {
	if s.tb == nil {
		panic("authservertest: " + text)
	}
	s.tb.Helper()
	s.tb.Fatal("authservertest: " + text)
}
