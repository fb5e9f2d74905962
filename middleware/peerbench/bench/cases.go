package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/peerbench"
)

// writer keeps nothing, so that the ResponseWriter costs nothing.
type writer struct{ h http.Header }

func (w *writer) Header() http.Header         { return w.h }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(int)             {}

// token is like those in use: RFC 9068 and some claims of one's own.
func token(iss *authtest.Issuer, alg string, mods ...authtest.Mod) string {
	return iss.Token(append([]authtest.Mod{authtest.Algorithm(alg), authtest.Audience("api1", "api2"),
		authtest.Scope("openid", "profile", "orders:read", "orders:write"), authtest.Claim("roles", []string{"admin", "user", "auditor"}),
		authtest.Claim("auth_time", 1700000000), authtest.Claim("acr", "urn:example:gold")}, mods...)...)
}

func request(raw string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://api.test/orders", nil)
	if raw != "" {
		r.Header.Set("Authorization", "Bearer "+raw)
	}
	return r
}

// ours is this project, without the memory of verified tokens: every token is new to it.
func ours(ctx context.Context, target peerbench.Target, next peerbench.Handler) (http.Handler, error) {
	cfg := middleware.NewConfig(target.Issuer, target.Audience)
	cfg.Algorithms, cfg.HTTPClient, cfg.CacheEntries = target.Algorithms, target.Client, 0
	auth, err := middleware.New(cfg)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = auth.Close() })
	return auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := middleware.FromContext(r.Context())
		next(w, r, tok.Subject)
	})), nil
}

// libraries are the peers that were asked for; ours is there twice, without and with memory.
func (b *bench) libraries() (list []peerbench.Peer) {
	for _, peer := range peerbench.Peers() {
		if !b.peers.MatchString(peer.Name) {
			continue
		}
		if peer.Name == "Bearergate" {
			list = append(list, peerbench.Peer{Name: "Bearergate, a new token each time", New: ours})
			peer.Name = "Bearergate, a token seen before"
		}
		list = append(list, peer)
	}
	return list
}

// build builds an API and reports whether it lets raw through.
func (b *bench) build(iss *authtest.Issuer, alg string, peer peerbench.Peer, raw string) (http.Handler, bool, error) {
	passed := false
	target := peerbench.Target{Issuer: iss.Name(), KeySetURL: iss.Name() + "/jwks.json", Audience: "api1", Algorithm: alg,
		Algorithms: []string{"RS256", "PS256", "ES256", "EdDSA"}, Client: iss.Client()}
	h, err := peer.New(b.ctx, target, func(_ http.ResponseWriter, _ *http.Request, subject string) { passed = subject == "alice" })
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", peer.Name, err)
	}
	h.ServeHTTP(httptest.NewRecorder(), request(raw))
	return h, passed, nil
}

func serving(h http.Handler, raw string) func() {
	r, w := request(raw), &writer{h: http.Header{}}
	return func() { h.ServeHTTP(w, r) }
}

// verification is the signature of raw alone, decoded before.
func verification(iss *authtest.Issuer, alg, raw string) (func(), error) {
	tok, err := peek(iss, raw)
	if err != nil {
		return nil, err
	}
	found, err := iss.Terms().Keys.Lookup(context.Background(), tok.KeyID, alg)
	if err != nil {
		return nil, err
	}
	n := strings.LastIndexByte(raw, '.')
	input := []byte(raw[:n])
	sig, err := base64.RawURLEncoding.DecodeString(raw[n+1:])
	if err != nil {
		return nil, err
	}
	must := func(ok bool) {
		if !ok {
			panic("bench: internal error: the reference does not verify")
		}
	}
	switch key := found[0].Public().(type) {
	case *rsa.PublicKey:
		return func() {
			hash := sha256.Sum256(input)
			must(rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], sig) == nil)
		}, nil
	case *ecdsa.PublicKey:
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
		return func() {
			hash := sha256.Sum256(input)
			must(ecdsa.VerifyASN1(key, hash[:], der))
		}, err
	case ed25519.PublicKey:
		return func() { must(ed25519.Verify(key, input, sig)) }, nil
	}
	return nil, fmt.Errorf("no reference for %T", found[0].Public())
}

func peek(iss *authtest.Issuer, raw string) (*middleware.Token, error) {
	v, err := middleware.NewValidator(iss.Config())
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return v.Validate(context.Background(), raw)
}
