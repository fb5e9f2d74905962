package peerbench

import (
	"context"
	"net/http"
)

// A Peer is one library, set up as its documentation recommends for an API that accepts the tokens of one issuer for one
// audience, with exp required and the keys fetched from the issuer, as far as the library has options for that.
type Peer struct {
	Name    string
	Module  string // whose version the table shows
	Answers bool   // it writes HTTP answers; else it returns an error, and [library] writes them
	KeySet  bool   // it works with a key set; else with one key that it is given at the start

	// New builds the API. It may fetch keys; ctx ends whatever the library runs in the background.
	New func(ctx context.Context, target Target, next Handler) (http.Handler, error)
}

// A Target is what an API needs to know of the issuer whose tokens it accepts.
type Target struct {
	Issuer     string
	KeySetURL  string
	Audience   string
	Scope      string       // what the route asks for; "" for nothing
	Algorithm  string       // what the issuer signs with
	Algorithms []string     // what is acceptable
	Client     *http.Client // reaches the issuer
}

// A Handler is the API behind the library. It gets the subject from the library's own claims.
type Handler func(w http.ResponseWriter, r *http.Request, subject string)

// Peers returns the columns of the table: Bearergate, then the middleware of frameworks, then libraries without HTTP.
func Peers() []Peer {
	return []Peer{
		{"Bearergate", "github.com/bearergate/bearergate", true, true, Variant{}.New},
		{"auth0", "github.com/auth0/go-jwt-middleware/v3", true, true, newAuth0},
		{"jwtauth (chi)", "github.com/go-chi/jwtauth/v5", true, false, newJWTAuth},
		{"echo-jwt", "github.com/labstack/echo-jwt/v5", true, true, newEchoJWT},
		{"gin-jwt", "github.com/appleboy/gin-jwt/v3", true, true, newGinJWT},
		{"golang-jwt + keyfunc", "github.com/golang-jwt/jwt/v5", false, true, newGolangJWT},
		{"jwx", "github.com/lestrrat-go/jwx/v3", false, true, newJWX},
		{"go-oidc", "github.com/coreos/go-oidc/v3", false, true, newGoOIDC},
		{"hashicorp/cap", "github.com/hashicorp/cap", false, true, newCap},
		{"zitadel/oidc", "github.com/zitadel/oidc/v3", false, true, newZitadel},
	}
}
