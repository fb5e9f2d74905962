// Package authclient is the client half of the 401: an [http.RoundTripper] that sends an OAuth 2.0 access token to an
// API. It refreshes the token shortly before it expires, or when the API rejects it, and then retries the rejected
// request once.
//
// It works with the Config and the Token of [golang.org/x/oauth2], and with any authorization server that follows the
// standards:
//
//	cfg := authclient.NewConfig(oauthConfig, "https://api.example")
//	transport, err := authclient.New(cfg, token)
//	client := &http.Client{Transport: transport}
//
// One [Transport] serves one grant: the tokens of one user or of one service. It is cheap and may share its Base with
// any number of others, so a web application keeps one for each logged-in user. It leaves no goroutine
// running after a refresh.
//
// # Where the token goes
//
// The access token goes to the origins named in [Config] and nowhere else: scheme, host and port must be equal. It is
// not sent
//
//   - on a redirect that came through another origin, even if it leads back to a named one;
//   - to the token endpoint;
//   - in place of an Authorization header that the caller has set.
//
// The refresh token goes to the token endpoint alone. That must be https, except on loopback, and its redirects are not
// followed.
//
// # When it refreshes
//
// Before a request, it refreshes when less than min(10 s, 20 % of the lifetime) is left of the token. After a
// response, it refreshes when the status is 401 and a Bearer or DPoP challenge contains error="invalid_token" (RFC
// 6750, Section 3.1). Any other response is returned unchanged: insufficient_scope, invalid_request, other schemes,
// 407. [Config.Lenient] accepts servers that send a 401 without that error.
//
// There is one refresh at a time, however many requests need it. It continues when the request that started it is
// cancelled, because its refresh token is spent as soon as it is sent. A request whose token was rejected uses a
// newer token that is already there, without asking the authorization server. A new token is saved before any request
// uses it.
//
// If the API rejects the new token too, the second 401 is the answer. There is at most one refresh for each token.
//
// # When it cannot refresh
//
// While the authorization server cannot be reached, or answers 5xx or 429, the old token is used until it expires.
// After that a request fails with [ErrRefreshFailed]. A request waits for a refresh at most half of the time that is
// left of the old token. The pause between two refreshes grows from 1 s to 1 min, or is what Retry-After asks for.
//
// After invalid_grant every request fails at once with [ErrLoginRequired], until [Transport.SetToken]. The request that
// caused the refresh gets its original 401.
//
// # Several processes
//
// Processes that share one grant share a [Store], such as [NewFileStore]. Each refresh takes the Store's lock and reads
// the Store again, so that it uses what another process has refreshed. When one process stores the token of a new login
// with [Transport.SetToken], the others stop failing with [ErrLoginRequired] within a second.
//
// # RoundTripper or Do
//
// The documentation of [http.RoundTripper] says that it should not attempt to handle authentication. OAuth clients in
// Go do so nevertheless, because a transport is the only hook that every library offers. If you prefer to follow that
// sentence, use [Transport.Do], which has the signature of [http.Client.Do] and works above the HTTP client.
//
// # What it does not do
//
// It does not log the user in: that is the authorization code flow of golang.org/x/oauth2. It does not validate
// access tokens or the signatures of ID tokens. It makes no DPoP proofs: a Base can add them. It retries for no other
// reason than a rejected token.
//
// # Compatibility
//
// Fields may be added to [Config], so it is made by [NewConfig] and is not comparable. The texts of errors may change;
// their identity under [errors.Is] does not.
package authclient
