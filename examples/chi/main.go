// Command chi is an API behind a chi router. The middleware is a func(http.Handler) http.Handler, so chi takes it as it is:
// r.Use(auth.Handler) for a whole group, r.With(auth.Require("api1")) for one route.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/bearergate/bearergate/middleware"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5001", "address to listen on")
	issuer := flag.String("issuer", "http://127.0.0.1:5000", "issuer of the access tokens")
	flag.Parse()

	// Nothing is fetched yet: the issuer may start later than this API.
	auth, err := middleware.New(middleware.NewConfig(*issuer, "api1"))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:              *addr,
		Handler:           router(auth),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
	}
	log.Printf("listening on http://%s", *addr)
	log.Fatal(server.ListenAndServe())
}

func router(auth *middleware.Bearer) http.Handler {
	r := chi.NewRouter()
	r.Get("/public", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Hello, whoever you are.") })

	r.Group(func(r chi.Router) {
		r.Use(auth.Handler) // every route of the group needs a token …
		r.Get("/identity", identity)
		r.With(auth.Require("api1")).Post("/orders", order) // … and this one a scope; the token is validated once
	})
	return r
}

func identity(w http.ResponseWriter, r *http.Request) {
	token, _ := middleware.FromContext(r.Context())
	fmt.Fprintf(w, "Hello, %s.\n", token.Subject())
}

func order(w http.ResponseWriter, r *http.Request) {
	token, _ := middleware.FromContext(r.Context())
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "An order of %s.\n", token.Subject())
}
