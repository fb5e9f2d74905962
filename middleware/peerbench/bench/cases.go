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
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/peerbench"
)

// writer discards everything, so that the ResponseWriter costs nothing.
type writer struct{ h http.Header }

func (w *writer) Header() http.Header         { return w.h }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(int)             {}

// newIssuer returns the issuer of a table. Its tokens live longer than any run.
func newIssuer(alg string) *authtest.Issuer {
	return authtest.NewIssuer(nil, authtest.Algorithm(alg), authtest.ExpiresIn(24*time.Hour))
}

func request(raw string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://api.test/orders", nil)
	if raw != "" {
		r.Header.Set("Authorization", "Bearer "+raw)
	}
	return r
}

// cachedName is the row of Bearergate with its cache, which makes no difference for a rejected token.
const cachedName = "Bearergate, a cached token"

// libraries returns the peers to measure. Bearergate is there twice, without and with its cache.
func (b *bench) libraries() (list []peerbench.Peer) {
	for _, peer := range peerbench.Peers() {
		if !b.peers.MatchString(peer.Name) {
			continue
		}
		if peer.Name == "Bearergate" {
			list = append(list, peerbench.Peer{
				Name: "Bearergate, a new token each time", KeySet: true,
				New: peerbench.Variant{Configure: peerbench.Uncached}.New,
			})
			peer.Name = cachedName
		}
		list = append(list, peer)
	}
	return list
}

// An api is a handler that records whether a request passed.
type api struct {
	handler http.Handler
	passed  bool
}

// build returns an API, which must accept the token good.
func (b *bench) build(iss *authtest.Issuer, alg string, peer peerbench.Peer, good string) (*api, error) {
	a := &api{}
	var err error
	a.handler, err = peer.New(b.ctx, peerbench.TargetOf(iss, alg), func(_ http.ResponseWriter, _ *http.Request, subject string) {
		a.passed = subject == "alice"
	})
	if err == nil && !a.passes(good) {
		err = errors.New("does not accept a good token")
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", peer.Name, alg, err)
	}
	return a, nil
}

// passes reports whether the API accepts a token.
func (a *api) passes(raw string) bool {
	a.passed = false
	a.handler.ServeHTTP(httptest.NewRecorder(), request(raw))
	return a.passed
}

// serving returns a function that calls h with one token after the other.
func serving(h http.Handler, raws ...string) func() {
	requests := make([]*http.Request, len(raws))
	for i, raw := range raws {
		requests[i] = request(raw)
	}
	w, i := &writer{h: http.Header{}}, 0
	return func() {
		h.ServeHTTP(w, requests[i])
		if i++; i == len(requests) {
			i = 0
		}
	}
}

// verification returns a function that only verifies raw's signature; decoding is done before.
func verification(iss *authtest.Issuer, alg, raw string) (func(), error) {
	tok, err := peek(iss, raw)
	if err != nil {
		return nil, err
	}
	found, err := iss.IssuerConfig().Keys.Lookup(context.Background(), tok.KeyID(), alg)
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
