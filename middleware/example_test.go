package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
)

// show asks h and prints the answer.
func show(h http.Handler, r *http.Request) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	fmt.Println(rec.Code, strings.TrimSpace(rec.Header().Get("WWW-Authenticate")+" "+rec.Body.String()))
}

// An API that accepts the tokens of one issuer. In a real one NewConfig is given the issuer's address and the name of
// the API; here an issuer for tests stands in.
func ExampleNew() {
	iss := authtest.NewIssuer(nil)
	cfg := iss.Config("api1") // middleware.NewConfig("https://issuer.example", "api1")

	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /identity", auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := middleware.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s", tok.Subject())
	})))

	show(mux, httptest.NewRequest("GET", "/identity", nil))
	show(mux, iss.Request("GET", "/identity", authtest.Expired))
	show(mux, iss.Request("GET", "/identity"))
	// Output:
	// 401 Bearer realm="api1"
	// 401 Bearer realm="api1", error="invalid_token", error_description="The access token expired" {"error":"invalid_token","error_description":"The access token expired"}
	// 200 hello alice
}

// A Config is printed as it is in force, and everything that is wrong with it is said at once.
func ExampleNewConfig() {
	cfg := middleware.NewConfig("http://issuer.example")
	cfg.ClockSkew = -time.Minute
	cfg.Issuer.Algorithms = []string{"HS256"}
	_, err := middleware.New(cfg)
	fmt.Println(err)
	// Output:
	// middleware: config: ClockSkew: -1m0s is negative
	// middleware: config: issuer "http://issuer.example": name: http on a host that is not loopback: use https, or set AllowInsecureHTTP
	// middleware: config: issuer "http://issuer.example": no audience
	// middleware: config: issuer "http://issuer.example": algorithm "HS256" is never accepted: it does not prove who signed
}

// Two issuers, each with its own audience and rules.
func ExampleNewIssuer() {
	customers := authtest.NewIssuer(nil, authtest.IssuedBy("https://customers.test"))
	staff := authtest.NewIssuer(nil, authtest.IssuedBy("https://staff.test"))

	cfg := customers.Config("shop")
	other := middleware.NewIssuer("https://staff.test", "shop-admin")
	other.Profile = middleware.RFC9068
	other.Keys = staff.IssuerConfig().Keys // nil in a real API: discovery
	cfg.MoreIssuers = []middleware.Issuer{other}
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	h := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := middleware.FromContext(r.Context())
		fmt.Fprint(w, tok.Issuer())
	}))
	show(h, customers.Request("GET", "/", authtest.Audience("shop")))
	show(h, staff.Request("GET", "/", authtest.Audience("shop-admin")))
	show(h, staff.Request("GET", "/", authtest.Audience("shop")))
	// Output:
	// 200 https://customers.test
	// 200 https://staff.test
	// 401 Bearer realm="shop", error="invalid_token", error_description="The audience is not accepted" {"error":"invalid_token","error_description":"The audience is not accepted"}
}

// Optional: without a token the handler is reached, and sees none. A bad token is refused all the same.
func ExampleConfig_optional() {
	iss := authtest.NewIssuer(nil)
	cfg := iss.Config("api1")
	cfg.Optional = true
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	h := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tok, ok := middleware.FromContext(r.Context()); ok {
			fmt.Fprintf(w, "hello %s", tok.Subject())
			return
		}
		fmt.Fprint(w, "hello stranger")
	}))
	show(h, httptest.NewRequest("GET", "/", nil))
	show(h, iss.Request("GET", "/"))
	show(h, iss.Request("GET", "/", authtest.Audience("api2")))
	// Output:
	// 200 hello stranger
	// 200 hello alice
	// 401 Bearer realm="api1", error="invalid_token", error_description="The audience is not accepted" {"error":"invalid_token","error_description":"The audience is not accepted"}
}

// A proxy in front that sends the token in a header of its own, here Cloudflare Access.
func ExampleFromHeader() {
	iss := authtest.NewIssuer(nil, authtest.IssuedBy("https://team.cloudflareaccess.com"))
	cfg := iss.Config("4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2") // the application's AUD tag
	cfg.Credentials = middleware.FromHeader("Cf-Access-Jwt-Assertion")
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	h := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cf-Access-Jwt-Assertion", iss.Token(authtest.Audience(cfg.Issuer.Audiences...)))
	show(h, r)
	// Output:
	// 200 ok
}

// Browsers send a cookie, other clients the Authorization header; a request with both is malformed.
func ExampleOneOf() {
	iss := authtest.NewIssuer(nil)
	cfg := iss.Config("api1")
	cfg.Credentials = middleware.OneOf(middleware.FromAuthorization, middleware.FromCookie("access_token"))
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	// The browser sends the cookie for whoever asks: the application protects itself against cross-site requests.
	h := http.NewCrossOriginProtection().Handler(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "ok")
	})))
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: "access_token", Value: iss.Token()})
	show(h, r)
	r.Header.Set("Authorization", "Bearer "+iss.Token())
	show(h, r)
	// Output:
	// 200 ok
	// 400 Bearer realm="api1", error="invalid_request", error_description="The request carries more than one access token" {"error":"invalid_request","error_description":"The request carries more than one access token"}
}

// Scopes, one line a route.
func ExampleBearer_Require() {
	iss := authtest.NewIssuer(nil)
	auth, err := middleware.New(iss.Config("api1"))
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method) })
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.Require("orders:read")(orders))
	mux.Handle("POST /orders", auth.Require("orders:write")(orders))

	show(mux, iss.Request("GET", "/orders", authtest.Scope("orders:read")))
	show(mux, iss.Request("POST", "/orders", authtest.Scope("orders:read")))
	// Output:
	// 200 GET
	// 403 Bearer realm="api1", error="insufficient_scope", error_description="The access token lacks the required scope", scope="orders:write" {"error":"insufficient_scope","error_description":"The access token lacks the required scope"}
}

// A route that wants a recent and strong authentication (RFC 9470).
func ExampleBearer_RequireThat() {
	iss := authtest.NewIssuer(nil)
	cfg := iss.Config("bank")
	cfg.WriteError = func(w http.ResponseWriter, r *http.Request, status int, err error) { w.WriteHeader(status) } // no body
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	transfer := auth.RequireThat(middleware.Requirement{
		AnyScope: []string{"transfer", "admin"},
		ACR:      []string{"urn:example:gold"},
		MaxAge:   5 * time.Minute,
	})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "done") }))

	bank, scope := authtest.Audience("bank"), authtest.Scope("transfer")
	show(transfer, iss.Request("POST", "/", bank, scope, authtest.Claim("acr", "urn:example:silver")))
	show(transfer, iss.Request("POST", "/", bank, scope, authtest.Claim("acr", "urn:example:gold"), authtest.Claim("auth_time", iss.Now().Unix())))
	// Output:
	// 401 Bearer realm="bank", error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="urn:example:gold", max_age="300"
	// 200 done
}

// Check is the decision alone, for routers whose handlers are not http.Handlers.
func ExampleBearer_Check() {
	iss := authtest.NewIssuer(nil)
	auth, err := middleware.New(iss.Config("api1"))
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	handle := func(w http.ResponseWriter, r *http.Request) {
		tok, err := auth.Check(r)
		if err != nil {
			auth.Deny(w, r, err)
			return
		}
		fmt.Fprint(w, tok.Subject())
	}
	show(http.HandlerFunc(handle), iss.Request("GET", "/"))
	show(http.HandlerFunc(handle), httptest.NewRequest("GET", "/", nil))
	// Output:
	// 200 alice
	// 401 Bearer realm="api1"
}

// Claims of one's own, in a struct of one's own.
func ExampleClaims() {
	iss := authtest.NewIssuer(nil)
	auth, err := middleware.New(iss.Config("api1"))
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	type claims struct {
		Tenant string   `json:"tenant"`
		Groups []string `json:"groups"`
	}
	h := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := middleware.Claims[claims](r.Context())
		if err != nil {
			auth.Deny(w, r, fmt.Errorf("%w: %w", middleware.ErrInvalidToken, err))
			return
		}
		fmt.Fprintln(w, c.Tenant, c.Groups)
	}))
	show(h, iss.Request("GET", "/", authtest.Claim("tenant", "acme"), authtest.Claim("groups", []string{"a", "b"})))
	// Output:
	// 200 acme [a b]
}

// Without HTTP, what is called for a message finds the token where a handler does. (In a test, [authtest.Issuer.Context] makes
// such a context.)
func ExampleNewContext() {
	iss := authtest.NewIssuer(nil)
	v, err := middleware.NewValidator(iss.Config("worker"))
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	work := func(ctx context.Context) {
		tok, _ := middleware.FromContext(ctx)
		fmt.Println(tok.Subject(), tok.HasScope("jobs:run"))
	}

	ctx := context.Background() // of a message
	tok, err := v.Validate(ctx, iss.Token(authtest.Audience("worker"), authtest.Subject("bob"), authtest.Scope("jobs:run")))
	if err != nil {
		log.Fatal(err)
	}
	work(middleware.NewContext(ctx, tok))
	// Output:
	// bob true
}

// Without HTTP: messages from a queue, gRPC, websockets.
func ExampleNewValidator() {
	iss := authtest.NewIssuer(nil)
	v, err := middleware.NewValidator(iss.Config("worker"))
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	ctx := context.Background()
	tok, err := v.Validate(ctx, iss.Token(authtest.Audience("worker"), authtest.Scope("jobs:run")))
	fmt.Println(tok, tok.HasScope("jobs:run"), err)

	_, err = v.Validate(ctx, iss.Token(authtest.Audience("worker"), authtest.Expired))
	fmt.Println(middleware.Reason(err), errors.Is(err, middleware.ErrInvalidToken), errors.Is(err, jwt.ErrTokenExpired))
	// Output:
	// token of "alice" from "https://issuer.test" true <nil>
	// expired true true
}

// Revocation: Check is asked last. An outage of the list says nothing about the token; it is answered with 503. A Check that
// prefers to let such tokens pass returns nil.
func ExampleConfig_check() {
	iss := authtest.NewIssuer(nil)
	revoked := map[string]bool{"stolen": true}
	cfg := iss.Config("api1")
	cfg.Issuer.RequiredClaims = []string{"jti"}
	cfg.Check = func(ctx context.Context, tok *middleware.Token) error {
		if revoked == nil {
			return fmt.Errorf("list of revoked tokens: %w", middleware.ErrCheckUnavailable)
		}
		if revoked[tok.ID()] {
			return errors.New("revoked")
		}
		return nil
	}
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	h := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	show(h, iss.Request("GET", "/"))
	show(h, iss.Request("GET", "/", authtest.Claim("jti", "stolen")))
	revoked = nil
	show(h, iss.Request("GET", "/"))
	// Output:
	// 200 ok
	// 401 Bearer realm="api1", error="invalid_token", error_description="The access token is not accepted" {"error":"invalid_token","error_description":"The access token is not accepted"}
	// 503 {"error":"temporarily_unavailable","error_description":"Access tokens can't be verified at the moment"}
}

// Metrics: every outcome is told once, with a word that is stable.
func ExampleConfig_onEvent() {
	iss := authtest.NewIssuer(nil)
	outcomes := map[string]int{} // in a real API a counter that is safe for concurrent use
	cfg := iss.Config("api1")
	cfg.OnEvent = func(_ context.Context, e middleware.Event) { outcomes[e.Reason]++ }
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	for _, r := range []*http.Request{iss.Request("GET", "/"), iss.Request("GET", "/", authtest.Expired), httptest.NewRequest("GET", "/", nil)} {
		_, _ = auth.Check(r)
	}
	fmt.Println(outcomes)
	// Output:
	// map[accepted:1 expired:1 no_token:1]
}

// Roles as Keycloak writes them, for Require.
func ExampleIssuer_scopeClaims() {
	iss := authtest.NewIssuer(nil)
	cfg := iss.Config("api1")
	cfg.Issuer.ScopeClaims = []string{"scope", "/realm_access/roles", "/resource_access/api1/roles"}
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	h := auth.Require("admin")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	show(h, iss.Request("GET", "/", authtest.Claim("realm_access", map[string]any{"roles": []string{"user", "admin"}})))
	// Output:
	// 200 ok
}

// Protected resource metadata (RFC 9728): the challenge says where it is.
func ExampleBearer_Metadata() {
	cfg := middleware.NewConfig("https://issuer.example", "https://api.example/v1")
	cfg.Resource = "https://api.example/v1"
	cfg.ResourceMetadata = map[string]any{"scopes_supported": []string{"orders:read"}}
	auth, err := middleware.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux := http.NewServeMux()
	mux.Handle(auth.Metadata())
	mux.Handle("/v1/orders", auth.Handler(http.NotFoundHandler()))
	show(mux, httptest.NewRequest("GET", "/v1/orders", nil))
	show(mux, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource/v1", nil))
	// Output:
	// 401 Bearer realm="https://api.example/v1", resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"
	// 200 {"authorization_servers":["https://issuer.example"],"bearer_methods_supported":["header"],"resource":"https://api.example/v1","scopes_supported":["orders:read"]}
}
