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

// Server is the authorization server. It is an [http.Handler], safe for concurrent use, and runs nothing in the background
// but what [Server.Run] is called for.
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

// New returns a server. It does no I/O. The error names every problem of the configuration at once.
func New(cfg *Config) (*Server, error) {
	if cfg == nil {
		return nil, errors.New("authserver: the Config is missing")
	}
	if err := cfg.check(); err != nil {
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
	s.now = func() time.Time { return clock().UTC().Truncate(time.Millisecond) } // as precise as stores are
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
	if err := s.sameSite.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil { // a proxy may have changed the Host header
		return nil, fmt.Errorf("authserver: issuer: %w", err)
	}
	if s.cookies, err = newCookieKeys(cfg.RefreshKeys); err != nil {
		return nil, err
	}
	s.throttle = newThrottle()
	if s.keys == nil {
		s.keys, err = jwks.NewRotator(jwks.RotatorConfig{TokenLifetime: s.longestAccess() + clockSkew, Now: cfg.Now, Logger: cfg.Logger})
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

// longestAccess is the longest life of an access token that the server issues.
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
	// Both ways to build the address of a document from an issuer with a path: appended (OpenID Connect Discovery) and inserted
	// (RFC 8414 section 3.1).
	for _, known := range []string{pathOpenIDConfig, pathOAuthConfig} {
		s.routes[s.base+known] = http.HandlerFunc(s.discovery)
		s.routes[known+s.base] = http.HandlerFunc(s.discovery)
	}
}

// ServeHTTP answers the endpoints of the server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if strings.HasPrefix(path, "//.well-known/") { // an issuer with a slash at the end, and a client that adds another one
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

// String names the issuer.
func (s *Server) String() string { return fmt.Sprintf("authserver of %q", s.cfg.Issuer) }

// Format prints String for every verb: a Server has the keys of all tokens in it.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// url is the address of an endpoint.
func (s *Server) url(path string) string { return strings.TrimSuffix(s.cfg.Issuer, "/") + path }

// Ready tells whether tokens can be issued: there is a signing key and the store answers.
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

// Revoke ends every matching grant: after a password change, for a logout everywhere, when an account or a client goes. Access
// tokens that are out live on for at most their lifetime, except where [Server.CheckAccessToken] is asked, or where an API reads the &
// revoked grants, see the package documentation. It returns how many grants it ended. Of a reason it keeps [ReasonLength] bytes.
//
// It goes on as long as the store gets on with it and ctx lasts: all grants of a large client take minutes. After an error some of them
// may have ended, and the same call again does the rest.
func (s *Server) Revoke(ctx context.Context, sel Selector, reason string) (int, error) {
	n, err := s.revokeInStore(ctx, sel, reason)
	if n > 0 { // also when it did not get to the end: the next call won't count these
		s.event(ctx, Event{Kind: "grant.revoked", ClientID: sel.ClientID, Subject: sel.Subject, GrantID: sel.ID, Reason: reason, Count: n})
	}
	if err != nil {
		return n, fmt.Errorf("authserver: revoke: %w", err)
	}
	return n, nil
}

// revokeDetached is Revoke for what has to end whether or not the one who asked for it waits for the answer: pages send a logout when they are
// closed. It lasts as long as the store gets on with it.
func (s *Server) revokeDetached(ctx context.Context, sel Selector, reason string) error {
	_, err := s.Revoke(context.WithoutCancel(ctx), sel, reason)
	return err
}

// reload reads a row that another request has just changed. Hanging up now must not hide that a code or a token came twice.
func (s *Server) reload(ctx context.Context, id string) (Grant, error) {
	ctx, cancel := withoutCancel(ctx)
	defer cancel()
	return s.cfg.Store.Grant(ctx, id)
}

// withoutCancel returns a context for what goes on when the client has hung up.
func withoutCancel(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
}

// revokeInStore revokes in the store, with a reason that every store takes. What is not done in the time that readers of the revocation list
// allow for gets a later one.
func (s *Server) revokeInStore(ctx context.Context, sel Selector, reason string) (total int, err error) {
	for {
		attempt, cancel := context.WithTimeout(ctx, revokeTime)
		n, err := s.cfg.Store.Revoke(attempt, sel, clipReason(reason), s.now())
		cancel()
		if total += n; err == nil || n == 0 || ctx.Err() != nil {
			return total, err
		}
	}
}

// clipReason leaves of a reason what [Store.Revoke] takes: no revocation may fail because of it.
func clipReason(reason string) string {
	reason = strings.ReplaceAll(strings.ToValidUTF8(reason, ""), "\x00", "")
	if len(reason) <= ReasonLength {
		return reason
	}
	return strings.ToValidUTF8(reason[:ReasonLength], "")
}
