package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/mohae/deepcopy"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
)

// newFosite is ory/fosite, composed of its own parts: the memory store, access tokens as JWT, refresh tokens by HMAC,
// and the two handlers that a refresh with an ID token needs.
func newFosite() (*server, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	cfg := &fosite.Config{GlobalSecret: secret, AccessTokenIssuer: issuer, IDTokenIssuer: issuer, AccessTokenLifespan: 5 * time.Minute,
		IDTokenLifespan: 5 * time.Minute, RefreshTokenLifespan: 30 * 24 * time.Hour, ScopeStrategy: fosite.ExactScopeStrategy}
	client := &fosite.DefaultClient{ID: clientID, Public: true, GrantTypes: []string{"authorization_code", "refresh_token"},
		ResponseTypes: []string{"code"}, Scopes: scopes, Audience: []string{audience}}
	store := storage.NewMemoryStore()
	store.Clients[clientID] = client
	getKey := func(context.Context) (any, error) { return key, nil }
	tokens := compose.NewOAuth2JWTStrategy(getKey, compose.NewOAuth2HMACStrategy(cfg), cfg)
	provider := compose.Compose(cfg, store, &compose.CommonStrategy{CoreStrategy: tokens,
		OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(getKey, cfg), Signer: &jwt.DefaultSigner{GetPrivateKey: getKey}},
		compose.OAuth2RefreshTokenGrantFactory, compose.OpenIDConnectRefreshFactory)
	return &server{
		path: "/token",
		handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			req, err := provider.NewAccessRequest(ctx, r, newFositeSession())
			if err != nil {
				provider.WriteAccessError(ctx, w, req, err)
				return
			}
			resp, err := provider.NewAccessResponse(ctx, req)
			if err != nil {
				provider.WriteAccessError(ctx, w, req, err)
				return
			}
			provider.WriteAccessResponse(ctx, w, req, resp)
		}),
		keySet: func() ([]byte, error) {
			return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: fositeKeyID, Algorithm: "ES256", Use: "sig"}}})
		},
		grant: func(ctx context.Context) (string, error) {
			req := fosite.NewRequest()
			req.Client, req.Session = client, newFositeSession()
			req.RequestedScope, req.GrantedScope = scopes, scopes
			req.RequestedAudience, req.GrantedAudience = []string{audience}, []string{audience}
			req.Session.SetExpiresAt(fosite.RefreshToken, time.Now().Add(cfg.RefreshTokenLifespan))
			token, signature, err := tokens.GenerateRefreshToken(ctx, req)
			if err != nil {
				return "", err
			}
			return token, store.CreateRefreshTokenSession(ctx, signature, "", req)
		},
	}, nil
}

const fositeKeyID = "fosite"

// fositeSession is what an application brings to fosite: the session of the ID token with the claims of a JWT access
// token.
type fositeSession struct {
	*openid.DefaultSession
	AccessClaims *jwt.JWTClaims
	AccessHeader *jwt.Headers
}

func newFositeSession() *fositeSession {
	header := func() *jwt.Headers { return &jwt.Headers{Extra: map[string]any{"kid": fositeKeyID}} }
	return &fositeSession{
		DefaultSession: &openid.DefaultSession{Subject: subject, Headers: header(),
			Claims: &jwt.IDTokenClaims{Issuer: issuer, Subject: subject, Audience: []string{clientID}, AuthTime: time.Now(), RequestedAt: time.Now()}},
		AccessClaims: &jwt.JWTClaims{Issuer: issuer, Subject: subject, Extra: map[string]any{"client_id": clientID}},
		AccessHeader: header(),
	}
}

func (s *fositeSession) GetJWTClaims() jwt.JWTClaimsContainer { return s.AccessClaims }
func (s *fositeSession) GetJWTHeader() *jwt.Headers           { return s.AccessHeader }

// Clone copies by reflection, as fosite's own sessions do.
func (s *fositeSession) Clone() fosite.Session { return deepcopy.Copy(s).(fosite.Session) }

var (
	_ openid.Session             = (*fositeSession)(nil)
	_ oauth2.JWTSessionContainer = (*fositeSession)(nil)
)
