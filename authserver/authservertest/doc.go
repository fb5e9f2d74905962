// Package authservertest runs an authorization server inside a test.
//
//	as := authservertest.New(t)
//	tokens := as.SignIn("spa", "openid", "api1", "offline_access") // the code flow with PKCE, form and all
//	as.Advance(6 * time.Minute)                                    // the access token has expired
//	tokens, err := as.Refresh("spa", tokens.RefreshToken)
//
// It is the real [authserver.Server] with some clients, a user and a resource, see [New]. [Server.HTTPClient] reaches it
// in process. With [Loopback] it also listens on 127.0.0.1, for clients that use their own HTTP client. The clock stands
// still until the test moves it.
//
// # An API under test
//
// [Server.Config] is the middleware's configuration for an API that takes the server's tokens, keys and clock included.
// For an API alone, without grants and refresh tokens, package authtest is the smaller tool.
//
// The revocation list, for an API that follows it by package revocation, can be read by the client worker:
//
//	list := revocation.NewConfig(as.Issuer(), "worker", "worker secret")
//	list.HTTPClient, list.Now = as.HTTPClient(), as.Now
//
// # Faults
//
// What a network, a key service or a database does on a bad day is one call each: [Server.DropAnswers],
// [Server.FailSigning], [Server.FailBeforeCommit], [Server.FailAfterCommit] and [Server.Rollback]. A client that
// refreshes survives all of them but the last.
package authservertest
