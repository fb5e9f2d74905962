package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// newZitadel is zitadel/oidc's provider with the storage of its example, which rotates refresh tokens and keeps
// everything in memory.
func newZitadel() (*server, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	store := &zitadelStore{
		Storage: storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{clientID: storage.NativeClient(clientID)}),
		key:     zitadelKey{key: key},
	}
	provider, err := op.NewProvider(&op.Config{GrantTypeRefreshToken: true, CodeMethodS256: true}, store, op.StaticIssuer(issuer),
		op.WithAllowInsecure(), op.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	if err != nil {
		return nil, err
	}
	return &server{
		handler: provider,
		path:    provider.TokenEndpoint().Relative(),
		keySet: func() ([]byte, error) {
			return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: store.key.ID(), Algorithm: "ES256", Use: "sig"}}})
		},
		grant: func(ctx context.Context) (string, error) {
			_, token, _, err := store.CreateAccessAndRefreshTokens(ctx, storage.RefreshTokenRequestFromBusiness(&storage.RefreshToken{
				AuthTime: time.Now(), AMR: []string{"pwd"}, Audience: []string{audience, clientID}, UserID: subject, ApplicationID: clientID, Scopes: scopes,
			}), "")
			return token, err
		},
	}, nil
}

// zitadelStore is the example's storage, but with another key, as it has RSA, and with JWT access tokens, as its native
// client has opaque ones.
type zitadelStore struct {
	*storage.Storage
	key zitadelKey
}

func (s *zitadelStore) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

func (s *zitadelStore) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s *zitadelStore) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return zitadelClient{c}, err
}

type zitadelClient struct{ op.Client }

func (zitadelClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

type zitadelKey struct{ key *ecdsa.PrivateKey }

func (zitadelKey) ID() string                                  { return "zitadel" }
func (zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k zitadelKey) Key() any                                  { return k.key }
