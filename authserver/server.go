package authserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bearergate/bearergate/jwks"
	"github.com/bearergate/bearergate/middleware"
)

// The endpoints, below the issuer.
const (
	pathAuthorize      = "/authorize"
	pathLogin          = "/login"
	pathToken          = "/token"
	pathRefreshJSON    = "/auth/refreshtoken"
	pathRevoke         = "/revoke"
	pathIntrospect     = "/introspect"
	pathRevocationList = "/revoked"
	pathUserInfo       = "/userinfo"
	pathEndSession     = "/end_session"
	pathKeys           = "/.well-known/jwks.json"
	pathOpenIDConfig   = "/.well-known/openid-configuration"
	pathOAuthConfig    = "/.well-known/oauth-authorization-server"
)

// Server is the authorization server. It is an [http.Handler], safe for concurrent use. It has no background work;
// [Server.Run] is for a goroutine of the application.
type Server struct {
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	keys     *jwks.Rotator
	ring     keyring
	clients  map[string]*Client
	base     string // the path of the issuer, without a slash at the end
	secure   bool   // the issuer is https
	cookies  cookieKeys
	sameSite *http.CrossOriginProtection
	throttle *throttle
	bearer   *middleware.Bearer
	routes   map[string]http.Handler
}

// New returns a server. It does no I/O. Its error names all problems of the configuration at once.
func New(cfg *Config) (*Server, error) {
	if cfg == nil {
		return nil, errors.New("authserver: use authserver.NewConfig to create a Config")
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: *cfg, log: cfg.Logger, now: cfg.Now, keys: cfg.Keys, ring: newKeyring(cfg.RefreshKeys),
		clients: map[string]*Client{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	clock := time.Now
	if cfg.Now != nil {
		clock = cfg.Now
	}
	s.now = func() time.Time { return clock().UTC().Truncate(time.Millisecond) } // the precision of stores
	for _, c := range cfg.Clients {
		s.clients[c.ID] = c.clone()
	}
	s.cfg.Resources = maps.Clone(cfg.Resources)
	for name, scopes := range s.cfg.Resources {
		s.cfg.Resources[name] = slices.Clone(scopes)
	}
	u, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	s.base, s.secure = strings.TrimSuffix(u.Path, "/"), u.Scheme == "https"
	s.sameSite = http.NewCrossOriginProtection()
	// A proxy may have changed the Host header.
	if err := s.sameSite.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
		return nil, fmt.Errorf("authserver: issuer: %w", err)
	}
	if s.cookies, err = newCookieKeys(cfg.RefreshKeys); err != nil {
		return nil, err
	}
	s.throttle = newThrottle()
	if s.keys == nil {
		s.keys, err = jwks.NewRotator(jwks.RotatorConfig{TokenLifetime: s.longestAccess() + clockSkew, Now: cfg.Now,
			Logger: cfg.Logger})
		if err != nil {
			return nil, fmt.Errorf("authserver: signing keys: %w", err)
		}
	}
	if err := s.newUserInfo(); err != nil {
		return nil, err
	}
	s.route()
	return s, nil
}

// longestAccess returns the longest lifetime of an access token that the server issues.
func (s *Server) longestAccess() time.Duration {
	longest := s.cfg.AccessTokenLifetime
	for _, c := range s.clients {
		longest = max(longest, c.AccessTokenLifetime)
	}
	return longest
}

func (s *Server) route() {
	s.routes = map[string]http.Handler{}
	handle := func(path string, h http.HandlerFunc) { s.routes[s.base+path] = h }
	handle(pathAuthorize, s.authorize)
	handle(pathLogin, s.login)
	handle(pathToken, s.crossOrigin(s.clientEndpoint(s.token)))
	handle(pathRefreshJSON, s.crossOrigin(s.refreshJSON))
	handle(pathRevoke, s.crossOrigin(s.clientEndpoint(s.revoke)))
	handle(pathIntrospect, s.clientEndpoint(s.introspect))
	handle(pathRevocationList, s.revocationList)
	handle(pathUserInfo, s.crossOrigin(s.userInfo))
	handle(pathEndSession, s.logout)
	handle(pathKeys, s.keys.ServeHTTP)
	// There are two ways to build the address of a document from an issuer with a path: appended (OpenID Connect
	// Discovery) and inserted (RFC 8414, Section 3.1).
	for _, known := range []string{pathOpenIDConfig, pathOAuthConfig} {
		s.routes[s.base+known] = http.HandlerFunc(s.discovery)
		s.routes[known+s.base] = http.HandlerFunc(s.discovery)
	}
}

// ServeHTTP answers the endpoints of the server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if strings.HasPrefix(path, "//.well-known/") { // the issuer ends with a slash, and the client adds another one
		path = path[1:]
	}
	h, ok := s.routes[path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	h.ServeHTTP(w, r.WithContext(withRemoteAddr(r)))
}

// String returns the issuer.
func (s *Server) String() string { return fmt.Sprintf("authserver of %q", s.cfg.Issuer) }

// Format prints String for every verb: a Server holds the keys of all tokens.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// url returns the address of an endpoint.
func (s *Server) url(path string) string { return strings.TrimSuffix(s.cfg.Issuer, "/") + path }

// Ready returns nil if tokens can be issued: there is a signing key and the store answers.
func (s *Server) Ready(ctx context.Context) error {
	if err := s.keys.Ready(ctx); err != nil {
		return fmt.Errorf("authserver: signing keys: %w", err)
	}
	id, _ := newGrantID()
	if _, err := s.cfg.Store.Grant(ctx, id); !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("authserver: store: %w", err)
	}
	return nil
}
