// Command quickstart is an API that accepts the access tokens of one issuer and nothing else.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/bearergate/bearergate/middleware"
)

func main() {
	cfg := middleware.NewConfig("http://127.0.0.1:5000", "api1") // the issuer, and this API's own name
	cfg.ClockSkew = time.Minute                                  // the default, spelled out
	cfg.RequireExpirationTime = true                             // also the default
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("GET /hello", auth.Require("api1")(http.HandlerFunc(hello)))
	server := &http.Server{Addr: "127.0.0.1:5001", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func hello(w http.ResponseWriter, r *http.Request) {
	token, _ := middleware.FromContext(r.Context())
	fmt.Fprintf(w, "Hello, %s.\n", token.Subject())
}
