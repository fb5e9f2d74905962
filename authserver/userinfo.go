package authserver

import (
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/bearergate/bearergate/middleware"
)

// newUserInfo makes the resource server that the userinfo endpoint is: it accepts the server's own access tokens with
// the scope openid. A token for an API and openid names the API as its audience, so every own audience is accepted. A
// client that wants a token that the API can't use here requests it with the resource parameter.
func (s *Server) newUserInfo() error {
	cfg := middleware.NewConfig(s.cfg.Issuer, s.ownAudiences()...)
	cfg.Issuer.Keys = s.keys
	// A key that has been rotated out may have had another algorithm than the current one.
	cfg.Issuer.Algorithms = []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
	cfg.Issuer.Profile = middleware.RFC9068
	cfg.ClockSkew = 0 // it is the same clock
	cfg.AllowInsecureHTTP = s.cfg.AllowInsecureHTTP
	cfg.Now, cfg.Logger = s.cfg.Now, s.cfg.Logger
	// RFC 6750, Section 2.2, and OpenID Connect Core 1.0, Section 5.3.1
	cfg.Credentials = middleware.OneOf(middleware.FromAuthorization, middleware.FromForm)
	bearer, err := middleware.New(cfg)
	if err != nil {
		return fmt.Errorf("authserver: userinfo: %w", err)
	}
	s.bearer = bearer
	return nil
}

// userInfo is the userinfo endpoint (OpenID Connect Core, Section 5.3).
func (s *Server) userInfo(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "the method is neither GET nor POST", http.StatusMethodNotAllowed)
		return
	}
	s.bearer.Require(scopeOpenID)(http.HandlerFunc(s.answerUserInfo)).ServeHTTP(w, r)
}

func (s *Server) answerUserInfo(w http.ResponseWriter, r *http.Request) {
	token, ok := middleware.FromContext(r.Context())
	if !ok {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	if c, err := s.client(r.Context(), token.ClientID()); err == nil {
		s.restrictOrigin(w, r, c)
	}
	gone := errors.Join(middleware.ErrInvalidToken, errTokenRevoked)
	if err := s.checkNotRevoked(r.Context(), token.ID()); errors.Is(err, errTokenRevoked) {
		s.bearer.Deny(w, r, gone)
		return
	} else if err != nil {
		s.refuse(w, r, unavailable(err))
		return
	}
	user, refusal := s.activeUser(r.Context(), token.Subject())
	if refusal != nil && refusal.status >= 500 {
		s.refuse(w, r, refusal)
		return
	}
	if refusal != nil {
		s.bearer.Deny(w, r, gone)
		return
	}
	claims := map[string]any{}
	maps.Copy(claims, userClaims(user, token.Scopes()))
	claims["sub"] = token.Subject()
	writeJSON(w, http.StatusOK, claims)
}
