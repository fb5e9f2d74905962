package authservertest

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/bearergate/bearergate/authserver"
)

// An Option changes what [New] makes.
type Option func(*settings)

type settings struct {
	issuer   string
	loopback bool
	clients  []authserver.Client
	secrets  map[string]string
	people   *people
	changes  []func(*authserver.Config)
}

// Loopback makes the server listen on 127.0.0.1 until the test ends; the address is the issuer.
func Loopback() Option { return func(s *settings) { s.loopback = true } }

// WithClient adds a client, or replaces the one with its ID. A secret that is not empty becomes the client's only one.
func WithClient(c authserver.Client, secret string) Option {
	return func(s *settings) {
		if secret != "" {
			c.Secrets = []authserver.Secret{authserver.HashSecret(secret)}
		}
		s.clients = slices.DeleteFunc(s.clients, func(old authserver.Client) bool { return old.ID == c.ID })
		s.clients = append(s.clients, c)
		s.secrets[c.ID] = secret
	}
}

// WithUser adds a user, or replaces the one with its Username. It needs no PasswordHash.
func WithUser(u authserver.User, password string) Option {
	return func(s *settings) { s.people.byName[u.Username] = person{u, password} }
}

// WithConfig changes the configuration after all other options. Its Store is nil, which means one in memory that can be
// rolled back. Its Keys are nil, which means a key that can fail. If change sets Now, Advance does not move that clock.
func WithConfig(change func(*authserver.Config)) Option {
	return func(s *settings) { s.changes = append(s.changes, change) }
}

func newSettings() *settings {
	s := &settings{issuer: "https://login.test", secrets: map[string]string{}, people: &people{byName: map[string]person{}}}
	forPeople := authserver.Client{
		GrantTypes:             []string{"authorization_code", "refresh_token"},
		RedirectURIs:           []string{"http://127.0.0.1/callback"},
		PostLogoutRedirectURIs: []string{"http://127.0.0.1/"},
		Scopes:                 strings.Fields("openid profile email phone address offline_access api1 read write"),
		Native:                 true, // the port of the test's own listener is not known beforehand
	}
	mvc, spa := forPeople, forPeople
	mvc.ID, spa.ID = "mvc client", "spa"
	worker := authserver.Client{ID: "worker", GrantTypes: []string{"client_credentials"}, Scopes: []string{"api1", "read", "write"},
		Serves: []string{"api1"}}
	WithClient(mvc, "mvc secret")(s)
	WithClient(spa, "")(s)
	WithClient(worker, "worker secret")(s)
	WithUser(authserver.User{Subject: "alice-1", Username: "alice",
		Claims: map[string]any{"name": "Alice Smith", "email": "alice@example.com"}}, "alice")(s)
	return s
}

type person struct {
	authserver.User
	password string
}

// people is an [authserver.Users] with plain passwords: hashing them would only make every test slower.
type people struct{ byName map[string]person }

func (p *people) Authenticate(_ context.Context, username, password string) (*authserver.User, error) {
	one, known := p.byName[username]
	if !known || subtle.ConstantTimeCompare([]byte(password), []byte(one.password)) != 1 {
		return nil, authserver.ErrAccessDenied
	}
	return &one.User, nil
}

func (p *people) User(_ context.Context, subject string) (*authserver.User, error) {
	for _, one := range p.byName {
		if one.Subject == subject {
			return &one.User, nil
		}
	}
	return nil, authserver.ErrNotFound
}
