// Command echo is an API behind echo. echo.WrapMiddleware makes an echo.MiddlewareFunc of the middleware, for a group or
// for one route.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

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
	e := echo.New()
	e.GET("/public", func(c *echo.Context) error { return c.String(http.StatusOK, "Hello, whoever you are.\n") })

	api := e.Group("", echo.WrapMiddleware(auth.Handler)) // every route of the group needs a token …
	api.GET("/identity", identity)
	api.POST("/orders", order, echo.WrapMiddleware(auth.Require("api1"))) // … and this one a scope
	return e
}

func identity(c *echo.Context) error {
	token, _ := middleware.FromContext(c.Request().Context())
	return c.String(http.StatusOK, "Hello, "+token.Subject()+".\n")
}

func order(c *echo.Context) error {
	token, _ := middleware.FromContext(c.Request().Context())
	return c.String(http.StatusCreated, "An order of "+token.Subject()+".\n")
}
