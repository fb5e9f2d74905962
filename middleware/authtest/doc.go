// Package authtest is httptest for JWTs: an issuer in one line inside your own tests, for handlers behind package
// middleware.
//
//	iss := authtest.NewIssuer(t)
//	auth, err := middleware.New(iss.Config("api1"))
//	…
//	rec := httptest.NewRecorder()
//	auth.Handler(identity).ServeHTTP(rec, iss.Request("GET", "/identity", authtest.Scope("orders:read")))
//
// The issuer has keys, a discovery document and a key set, all in process. [Issuer.Client] reaches them without a
// socket, and [Issuer.Config] uses it, so a test takes the same path as production.
//
// # Tokens
//
// [Issuer.Token] mints a token. A [Mod] changes it before it is signed: iss.Token(authtest.Expired),
// iss.Token(authtest.Without("aud")). [Issuer.TokenOf] signs any header and payload.
//
// [Issuer.Accepted] returns a validated token, for functions that take one. [Issuer.Context] returns a context with
// it, for handlers without the middleware in front.
//
// # Time, keys and outages
//
// The clock is the test's: it stands still until [Issuer.Advance] moves it. [Issuer.Rotate] and [Issuer.RemoveOldKeys]
// change the keys. [Issuer.Outage] makes the issuer unavailable.
//
// # Attacks
//
// [Issuer.BadTokens] returns the classic attacks and mistakes. Use it to prove that your own deployment rejects them.
//
// # What it does not do
//
// It has no token endpoint and no refresh tokens; package authservertest runs a whole authorization server. Its keys
// are made for tests: the RSA keys are shared by all issuers of the process.
package authtest
