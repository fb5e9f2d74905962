package authtest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// orders returns the handler under test, behind the middleware as in production.
func orders(cfg *middleware.Config) (http.Handler, *middleware.Bearer) {
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return auth.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := middleware.FromContext(r.Context())
		fmt.Fprintf(w, "orders of %s", tok.Subject())
	})), auth
}

func ask(h http.Handler, r *http.Request) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	fmt.Println(rec.Code, rec.Body)
}

// Test your own handler with valid and invalid tokens. In a test, call authtest.NewIssuer(t).
func ExampleNewIssuer() {
	iss := authtest.NewIssuer(nil)
	h, auth := orders(iss.Config("api1"))
	defer auth.Close()

	ask(h, iss.Request("GET", "/orders", authtest.Scope("orders:read"), authtest.Subject("bob")))
	ask(h, iss.Request("GET", "/orders", authtest.Scope("orders:write")))
	ask(h, iss.Request("GET", "/orders", authtest.Expired))
	ask(h, httptest.NewRequest("GET", "/orders", nil))
	// Output:
	// 200 orders of bob
	// 403 {"error":"insufficient_scope","error_description":"The access token lacks the required scope"}
	// 401 {"error":"invalid_token","error_description":"The access token expired"}
	// 401
}

// The test controls the clock.
func ExampleIssuer_Advance() {
	iss := authtest.NewIssuer(nil, authtest.Scope("orders:read"))
	h, auth := orders(iss.Config())
	defer auth.Close()

	r := iss.Request("GET", "/orders", authtest.ExpiresIn(time.Minute))
	iss.Advance(2*time.Minute - time.Nanosecond) // the lifetime and the skew
	ask(h, r)
	iss.Advance(time.Nanosecond)
	ask(h, r)
	// Output:
	// 200 orders of alice
	// 401 {"error":"invalid_token","error_description":"The access token expired"}
}

// The first request with a new key follows the rotation. During an outage the answer is 503, never 401.
func ExampleIssuer_Rotate() {
	iss := authtest.NewIssuer(nil, authtest.Scope("orders:read"))
	h, auth := orders(iss.Config())
	defer auth.Close()

	iss.Outage(true)
	ask(h, iss.Request("GET", "/orders"))
	iss.Outage(false)

	h, auth = orders(iss.Config())
	defer auth.Close()
	ask(h, iss.Request("GET", "/orders"))
	iss.Rotate()
	ask(h, iss.Request("GET", "/orders"))
	// Output:
	// 503 {"error":"temporarily_unavailable","error_description":"Access tokens can't be verified at the moment"}
	// 200 orders of alice
	// 200 orders of alice
}

// Test your own configuration against the classic attacks.
func ExampleIssuer_BadTokens() {
	iss := authtest.NewIssuer(nil)
	cfg := iss.Config("api1")
	v, err := middleware.NewValidator(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	accepted := 0
	for _, bad := range iss.BadTokens() {
		_, err := v.Validate(context.Background(), bad.Token)
		if !errors.Is(err, bad.Err) || middleware.Reason(err) != bad.Reason {
			fmt.Println(bad.Name, err)
			accepted++
		}
	}
	fmt.Println(len(iss.BadTokens()) > 90, accepted)
	// Output:
	// true 0
}

// A function of a token can be tested without HTTP.
func ExampleIssuer_Accepted() {
	owner := func(tok *middleware.Token) bool { return tok.Subject() == "alice" && tok.HasScope("orders:write") }

	iss := authtest.NewIssuer(nil)
	fmt.Println(owner(iss.Accepted(authtest.Scope("orders:write"))))
	fmt.Println(owner(iss.Accepted(authtest.Scope("orders:write"), authtest.Subject("bob"))))
	// Output:
	// true
	// false
}

// A handler can be tested without the middleware in front.
func ExampleIssuer_Context() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := middleware.FromContext(r.Context())
		fmt.Fprint(w, tok.Subject(), tok.Scopes())
	})

	iss := authtest.NewIssuer(nil)
	r := httptest.NewRequest("GET", "/orders", nil)
	ask(handler, r.WithContext(iss.Context(r.Context(), authtest.Subject("bob"), authtest.Scope("orders:read"))))
	// Output:
	// 200 bob[orders:read]
}
