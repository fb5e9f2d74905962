// Command gin is an API behind gin. gin's handlers are not http.Handlers, so eight lines, wrap, stand between.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

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
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/public", func(c *gin.Context) { c.String(http.StatusOK, "Hello, whoever you are.\n") })

	api := r.Group("/", wrap(auth.Handler)) // every route of the group needs a token …
	api.GET("/identity", identity)
	api.POST("/orders", wrap(auth.Require("api1")), order) // … and this one a scope; the token is validated once
	return r
}

// wrap makes a gin.HandlerFunc of a net/http middleware: what the middleware refuses goes no further.
func wrap(mw func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		next := func(_ http.ResponseWriter, r *http.Request) { passed, c.Request = true, r }
		if mw(http.HandlerFunc(next)).ServeHTTP(c.Writer, c.Request); !passed {
			c.Abort()
		}
	}
}

func identity(c *gin.Context) {
	token, _ := middleware.FromContext(c.Request.Context())
	c.String(http.StatusOK, "Hello, %s.\n", token.Subject())
}

func order(c *gin.Context) {
	token, _ := middleware.FromContext(c.Request.Context())
	c.String(http.StatusCreated, "An order of %s.\n", token.Subject())
}
