package pgstore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
	"github.com/bearergate/bearergate/jwks"
)

func ExampleOpen() {
	secret := func(name string) []byte { // 32 bytes, the same for all processes: openssl rand -base64 32
		key, err := base64.StdEncoding.DecodeString(os.Getenv(name))
		if err != nil {
			log.Fatal(name, " is not base64")
		}
		return key
	}
	store, err := pgstore.Open(context.Background(), pgstore.Config{
		URL:      os.Getenv("DATABASE_URL"),
		SealKeys: [][]byte{secret("SEAL_KEY")},
	})
	if errors.Is(err, jwks.ErrSealKey) {
		fmt.Println("SEAL_KEY is not set")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	cfg := authserver.NewConfig("https://login.example")
	cfg.Store, cfg.RefreshKeys, cfg.Keys = store, [][]byte{secret("REFRESH_KEY")}, keys
	if _, err = authserver.New(cfg); err != nil {
		log.Fatal(err)
	}
	// Output: SEAL_KEY is not set
}
