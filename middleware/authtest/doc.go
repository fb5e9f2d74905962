// Package authtest is "httptest for JWTs": an issuer in one line inside your own tests, for handlers that stand behind
// package middleware.
//
//	iss := authtest.NewIssuer(t)
//	auth, err := middleware.New(iss.Config("api1"))
//	…
//	rec := httptest.NewRecorder()
//	auth.Handler(identity).ServeHTTP(rec, iss.Request("GET", "/identity", authtest.Scope("orders:read")))
//
// The issuer has keys, a discovery document and a key set, all in process: [Issuer.Client] reaches them without a
// socket, and [Issuer.Config] uses it, so that a test goes the way that production goes. Tokens, good and bad, are
// minted with small composable mods: iss.Token(authtest.Expired), iss.Token(authtest.Without("aud")). The clock is the
// test's: [Issuer.Advance] moves it. [Issuer.Accepted] and [Issuer.Context] are for functions that stand behind the middleware
// and are given what it accepted. [Issuer.Rotate] and [Issuer.Outage] play the bad days, and [Issuer.BadTokens] is
// the list of classic attacks, so that you can prove that your own deployment refuses them.
package authtest
