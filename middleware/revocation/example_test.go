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

// An API that refuses the tokens of revoked sessions. Here a feed with one entry and an issuer for tests stand in.
func ExampleNew() {
	iss := authtest.NewIssuer(nil)
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"revoked":[{"id":"session-1","exp":%d}],"cursor":"1"}`, time.Now().Add(time.Hour).Unix())
	}))
	defer feed.Close()

	cfg := revocation.NewConfig(iss.Name(), "api1", "the secret of this API") // "https://issuer.example"
	cfg.URL = feed.URL                                                        // as it is in a real API: issuer + "/revoked"
	cfg.WhenStale = revocation.Refuse
	list, err := revocation.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- list.Run(ctx) }()
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
	for _, jti := range []string{"session-1.a", "session-2.a"} {
		_, err := auth.Check(iss.Request("GET", "/", authtest.Claim("jti", jti)))
		fmt.Println(jti, middleware.Reason(err))
	}
	cancel()
	fmt.Println(<-ended)
	// Output:
	// session-1.a refused_by_check
	// session-2.a accepted
	// context canceled
}

// A Config is printed as it is in force, without the secret, and everything that is wrong with it is said at once.
func ExampleNewConfig() {
	cfg := revocation.NewConfig("http://issuer.example", "api1", "the secret of this API")
	fmt.Println(cfg)
	_, err := revocation.New(cfg)
	fmt.Println(err)
	// Output:
	// [issuer=http://issuer.example url=http://issuer.example/revoked client_id=api1 when_stale= interval=5s max_age=1m0s max_entries=100000 allow_insecure_http=false]
	// revocation: config: URL: "http://issuer.example/revoked": http on a host that is not loopback, without AllowInsecureHTTP
	// revocation: config: WhenStale: it is required: Refuse or Accept
}
