package boltstore_test

import (
	"fmt"
	"log"
	"os"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
	"github.com/bearergate/bearergate/jwks"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "bearergate")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	store, err := boltstore.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	cfg := authserver.NewConfig("https://login.example")
	cfg.Store, cfg.RefreshKeys, cfg.Keys = store, store.RefreshKeys(), keys
	_, err = authserver.New(cfg)
	fmt.Println(err)
	// Output: <nil>
}
