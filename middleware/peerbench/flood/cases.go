package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/peerbench"
)

// A testCase is an API and what loads it.
type testCase struct {
	name string
	// burn is how many goroutines of the server's process verify signatures; 0: the flood does.
	burn int
	make func(ctx context.Context, target peerbench.Target, next peerbench.Handler) (http.Handler, error)
}

// cases returns all cases, for a process with that many processors.
func cases(processors int) []testCase {
	most := max(1, processors-1) // as NewConfig does, which asks its own process
	with := func(n int) peerbench.Variant {
		return peerbench.Variant{Configure: func(cfg *middleware.Config) { cfg.MaxVerifications = n }}
	}
	list := []testCase{
		{fmt.Sprintf("Bearergate, MaxVerifications %d (the default)", most), 0, with(most).New},
		{"Bearergate, MaxVerifications 0 (no limit)", 0, with(0).New},
		{fmt.Sprintf("no flood, %d goroutines that verify", most), most, with(most).New},
	}
	for _, peer := range peerbench.Peers() {
		if peer.Name == "golang-jwt + keyfunc" {
			list = append(list, testCase{peer.Name, 0, peer.New})
		}
	}
	return list
}

// burn verifies signatures with n goroutines until stop is called, which waits for them.
func burn(n int) (stop func(), err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte("burn"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		return nil, err
	}
	return spawn(n, func() error {
		if !ecdsa.VerifyASN1(&key.PublicKey, hash[:], sig) {
			return fmt.Errorf("the signature does not verify")
		}
		return nil
	}), nil
}

// spawn calls what over and over in n goroutines, in each at least once, until stop is called or it returns an error.
func spawn(n int, what func() error) (stop func()) {
	var over atomic.Bool
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for what() == nil && !over.Load() {
			}
		})
	}
	return func() { over.Store(true); wg.Wait() }
}
