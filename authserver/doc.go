// Package authserver is an OAuth 2.0 authorization server and a small OpenID provider in one [http.Handler].
//
// Start with [NewConfig]. Name the clients, the users and the resources, and mount what [New] returns:
//
//	cfg := authserver.NewConfig("https://login.example")
//	cfg.Resources = map[string][]string{"api1": {"api1"}}
//	cfg.Clients = []authserver.Client{{ID: "spa", GrantTypes: []string{"authorization_code", "refresh_token"}, …}}
//	cfg.Users = users // NewUserList, or your own
//	srv, err := authserver.New(cfg)
//	go srv.Run(ctx) // deletes what has expired
//	http.ListenAndServe(":5000", srv)
//
// The defaults keep grants and keys in memory. To keep them across restarts, set [Config].Store, Keys and RefreshKeys:
// packages boltstore, pgstore and redisstore have stores. For accounts of your own, implement [Users], or set
// [Config].Login to replace the login form as well. Package authservertest runs a server inside a test.
//
// # Endpoints
//
// All paths are below the issuer. The metadata document names them, except the last two.
//
//	GET, POST /authorize           authorization code with PKCE S256
//	POST /token                    authorization_code, refresh_token, client_credentials
//	POST /revoke                   ends the grant of a refresh token or an access token (RFC 7009)
//	POST /introspect               tells a confidential client about a token (RFC 7662)
//	GET, POST /userinfo            OpenID Connect Core, Section 5.3
//	GET, POST /end_session         signs the user out (OpenID Connect RP-Initiated Logout)
//	GET /.well-known/…             openid-configuration, oauth-authorization-server, jwks.json
//	POST /auth/refreshtoken        a refresh with a JSON body, see below
//	GET /revoked                   the revocation list, see below
//
// # Tokens
//
// Access tokens are JWTs of RFC 9068 (typ at+jwt), signed by a [jwks.Rotator], and live for 5 minutes. Refresh tokens
// are opaque and live for 30 days; every use replaces them. The scope openid adds an ID token, the scope offline_access
// a refresh token.
//
// A refresh token and a code are 76 bytes long. An access token with the claims of this package stays under 2 KiB if
// subject, client id and scopes are of usual length. Request bodies are limited to 64 KiB.
//
// # Refresh tokens
//
// A grant is what a user allowed one client, and all refresh tokens that descend from it. It is one row of the [Store],
// however often it is refreshed. A refresh token carries the grant's id, a generation and an HMAC. Nothing in the store
// can be used as a token, and the server can compute the successor of a token again. So a double submit is harmless:
// within [Config].RefreshGrace everybody who presents a superseded token gets the same current one. After the grace a
// superseded token revokes its grant, because the client or a thief holds a copy.
//
// Everything that can fail (client, scope, user, signing) comes before the one atomic step of the store, so a failed
// request never uses up a token or a code. If the store can't say whether it took the step, the answer is 503, and the
// same refresh token again finds out. A code has no grace: if it was used after all, the second attempt counts as a
// replay, and the user signs in once more.
//
// # A refresh with a JSON body
//
// POST {issuer}/auth/refreshtoken is the refresh token grant for clients that send JSON:
//
//	POST /auth/refreshtoken HTTP/1.1
//	Content-Type: application/json
//
//	{"grant_type": "refresh_token", "refresh_token": "rt1_…", "scope": "api1"}
//
// grant_type and refresh_token are required, scope is optional. A confidential client authenticates with HTTP Basic, or
// with the members client_id and client_secret. A public client need not name itself: the refresh token belongs to it.
// Other members have the meaning of the parameter of that name at /token, and unknown ones are ignored. The answers are
// those of /token.
//
// # Revoked access tokens
//
// An API validates an access token by itself, so the token is accepted until it expires. Where that is too long,
// [Server.CheckAccessToken] rejects access tokens of revoked grants and, with [Config].RevokePreviousAccessToken, those
// that a refresh has replaced. Introspection and userinfo do the same. An API that does not want to ask about each
// token reads the revocation list; package middleware/revocation does.
//
// # The revocation list
//
// GET {issuer}/revoked?since=CURSOR answers a client that serves a resource ([Client].Serves) and authenticates with
// HTTP Basic:
//
//	{"revoked":[{"id":"f2S5x…","exp":1735689600}],"cursor":"AQAAAZ…","more":true}
//
// The jti of every access token of a grant begins with the grant's id and a dot. From exp on (Unix seconds) no API
// accepts such a token: it is the exp of the last one, plus five minutes for clocks that differ. The entry stays in the
// list until then.
//
//   - Without since the list begins with everything that still matters. A page has up to 1000 entries. With more, the
//     next page exists already; otherwise the reader comes back with the cursor later, every few seconds if it likes. A
//     cursor is opaque, has up to 128 characters, and works at every process over the same Store.
//   - The first page of a poll goes back 90 seconds, and repeats entries that the reader knows. Another process may
//     have a clock that differs by half a minute, or may not have finished a revocation when the last poll passed its
//     time.
//   - The list has every revoked grant, however it was revoked: by a logout, the revocation endpoint, a refresh token
//     or a code that was used twice, [Server.Revoke], or the limit of grants. It has no grants that have only expired,
//     no access tokens that RevokePreviousAccessToken ends while the grant goes on, and no tokens of
//     client_credentials, which have no grant.
//   - Every reader gets all grants, whichever API their tokens are for. The ids are random and give no access.
//
// Other answers: 400 for a cursor that can't be read, 401 without the right secret, 403 for a client that serves
// nothing, 405, and 503 with Retry-After when the Store can't say.
//
// # An ID token as a hint
//
// An authorization request with an id_token_hint gets the user of that ID token, or login_required. The ID token may
// have expired. A hint that does not verify is invalid_request, also when the key that signed it is no longer
// published.
//
// # Behind a proxy
//
// Failed logins are counted by [http.Request].RemoteAddr, in each process by itself. Behind a proxy that you trust, set
// RemoteAddr from the proxy's header before you call the server.
//
// # What it does not do
//
// There is no implicit, hybrid, password or device grant, no dynamic registration, no consent page and no DPoP. One
// server is one issuer. The built-in login form is for demos: it has no registration, no second factor and no password
// reset.
package authserver
