package revocation_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/revocation"
)

// This API rejects the tokens of revoked grants. A list with one entry and a test issuer stand in for the real ones.
func ExampleNew() {
	iss := authtest.NewIssuer(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"revoked":[{"id":"grant-1","exp":%d}],"cursor":"1"}`, time.Now().Add(time.Hour).Unix())
	}))
	defer server.Close()

	cfg := revocation.NewConfig(iss.Name(), "api1", "the secret of this API") // "https://issuer.example"
	cfg.URL = server.URL                                                      // as it is in a real API: issuer + "/revoked"
	cfg.WhenStale = revocation.Reject
	list, err := revocation.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- list.Run(ctx) }()
	if err := list.Ready(ctx); err != nil {
		log.Fatal(err)
	}

	api := iss.Config("api1") // middleware.NewConfig("https://issuer.example", "api1")
	api.Check = list.Check
	auth, err := middleware.New(api)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	for _, jti := range []string{"grant-1.a", "grant-2.a"} {
		_, err := auth.Check(iss.Request("GET", "/", authtest.Claim("jti", jti)))
		fmt.Println(jti, middleware.Reason(err))
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// grant-1.a refused_by_check
	// grant-2.a accepted
	// context canceled
}

// Printing a Config shows what is in force, without the secret. New reports every problem at once.
func ExampleNewConfig() {
	cfg := revocation.NewConfig("http://issuer.example", "api1", "the secret of this API")
	fmt.Println(cfg)
	_, err := revocation.New(cfg)
	fmt.Println(err)
	// Output:
	// [issuer=http://issuer.example url=http://issuer.example/revoked client_id=api1 when_stale= interval=5s max_age=1m0s max_entries=100000 allow_insecure_http=false]
	// revocation: config: URL: "http://issuer.example/revoked": http on a host that is not loopback: use https, or set AllowInsecureHTTP
	// revocation: config: WhenStale: it has no default: set Reject or Accept
}
