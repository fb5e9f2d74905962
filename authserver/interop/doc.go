// Package interop lets stock clients loose on the authorization server: golang.org/x/oauth2 and
// github.com/coreos/go-oidc, as their users would write them. It holds tests only, and is a module of its own so that
// the main module does not depend on those clients.
package interop
