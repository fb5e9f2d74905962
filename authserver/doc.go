// Package authserver is an OAuth 2.0 authorization server and a small OpenID provider in one [http.Handler].
//
// Start with [NewConfig], name the clients, the users and the resources, and mount what [New] returns:
//
//	cfg := authserver.NewConfig("https://login.example")
//	cfg.Resources = map[string][]string{"api1": {"api1"}}
//	cfg.Clients = []authserver.Client{{ID: "spa", GrantTypes: []string{"authorization_code", "refresh_token"}, …}}
//	cfg.Users = users // NewUserList, or your own
//	srv, err := authserver.New(cfg)
//	go srv.Run(ctx) // deletes what has expired
//	http.ListenAndServe(":5000", srv)
//
// # What it hands out
//
// Access tokens are JWTs by RFC 9068 (typ at+jwt), signed by a [jwks.Rotator], short-lived (5 minutes). Refresh tokens are
// opaque, long-lived and rotated at every use. ID tokens are there when the scope has openid. Grants: authorization_code
// with PKCE S256, refresh_token, client_credentials; nothing implicit, no password grant.
//
// # Refresh tokens
//
// All refresh tokens that descend from one grant are a grant, and a grant is one row of the [Store], however often it is
// refreshed. A refresh token carries the grant's id, a generation and an HMAC; nothing token-shaped is at rest, and the
// successor of a token can be computed again. So a double submit is harmless: within [Config].RefreshGrace everyone who
// presents a superseded token gets the same current one. After the grace a superseded token ends its grant, because then
// either the client or a thief holds a copy.
//
// Everything that can fail — client, scope, user, signing — is done before the one atomic step of the store. A failed request
// never spends a token or a code. When the store can't say whether it took the step the answer is 503, and the same refresh
// token again finds out. A code has no grace: if it was spent after all, the second attempt counts as a replay, and the user
// signs in once more.
//
// # Access tokens that have been ended
//
// An access token is judged by the API itself, so it lives until it expires. Where that is too long, [Server.CheckAccessToken] refuses
// tokens of revoked grants, and with [Config].RevokePreviousAccessToken those of former refreshes; introspection and userinfo do
// the same. An API elsewhere that does not want to ask for each token reads a list:
//
// # The revocation list
//
// GET {issuer}/revoked?since=CURSOR answers a client that serves a resource ([Client].Serves) and authenticates with HTTP Basic:
//
//	{"revoked":[{"id":"f2S5x…","exp":1735689600}],"cursor":"AQAAAZ…","more":true}
//
// The jti of every access token of that grant begins with the id and a dot. From exp on (Unix seconds) nobody accepts such a token
// anyway: it is the exp of the last one, and five minutes for APIs whose clocks differ. So long the entry stays in the list.
//
//   - Without since the list begins with everything that still matters. A page has up to 1000 entries; with more the next one is there
//     already, otherwise the reader comes back with the cursor after a while, every few seconds if it likes. A cursor is opaque, of
//     up to 128 characters, and good at every process over the same Store.
//   - The first page of a poll goes back 90 seconds, so that nothing is missed that was revoked by another process, whose clock may
//     differ by half a minute, and was not done when the last poll passed its time. The reader knows those entries already.
//   - It has every grant that was revoked, whichever way: a logout, the revocation endpoint, a refresh token or code that was used
//     twice, [Server.Revoke], a limit of grants. It has neither grants that have just expired, nor the access tokens that
//     RevokePreviousAccessToken ends while the grant goes on, nor those of client_credentials, which have no grant.
//   - Every reader gets all grants, whichever API their tokens are for: the ids are random and give no access to anything.
//
// Answers other than 200: 400 for a cursor that can't be read, 401 without the right secret, 403 for a client that serves
// nothing, 405, and 503 with Retry-After when the Store can't say.
//
// # An ID token as a hint
//
// An authorization request with an id_token_hint gets the user whom that ID token was made for, or login_required; it may have
// expired. A hint that does not verify is invalid_request, also when the key that signed it is no longer published.
//
// # Behind a proxy
//
// Failed logins are counted by [http.Request].RemoteAddr. A proxy in front has to be trusted to say who the client is, so the
// application sets RemoteAddr from the proxy's header before it calls the server. The counts are those of one process.
//
// # What it does not do
//
// No implicit, hybrid, password or device grant, no dynamic registration, no consent page, no DPoP. The built-in login form is
// demo-grade: an application with its own accounts sets [Config].Login. Tests of an application run the server by package
// authservertest.
//
// # Sizes
//
// A refresh token and a code are 76 bytes long. An access token with the claims of this package stays under 2 KiB as long as
// subject, client id and scopes are of usual length. Request bodies are limited to 64 KiB.
package authserver
