// Package authclient is the client half of the 401: an [http.RoundTripper] that carries an OAuth 2.0 access token to an
// API, refreshes it shortly before it expires or when the API says that it is no longer good, and sends the refused
// request once more.
//
// It works beside [golang.org/x/oauth2], with its Config and its Token, and with any authorization server that follows the
// standards:
//
//	cfg := authclient.NewConfig(oauthConfig, "https://api.example")
//	transport, err := authclient.New(cfg, token)
//	client := &http.Client{Transport: transport}
//
// One [Transport] is one session: one user's or one service's token. It is cheap, starts no goroutine that outlives a
// refresh, and shares its Base with as many others as one likes, so a web application keeps one for each signed-in user.
//
// # Where the token goes
//
// To the origins named in [Config] and nowhere else: scheme, host and port must be equal. It is not sent on a redirect
// from another origin, even back to a named one, never to the token endpoint, and never in place of an Authorization
// header that the caller has set. The refresh token goes to the token endpoint only, which must be https unless it is on
// loopback, and no redirect from there is followed.
//
// # When it is refreshed
//
// Before a request, when less than min(10 s, 20 % of its lifetime) is left of it; and after a response with status 401
// and a challenge of scheme Bearer or DPoP that says error="invalid_token" (RFC 6750, section 3.1). Any other response
// is returned untouched: insufficient_scope, invalid_request, other schemes, 407. [Config.Lenient] takes in the servers
// that send a 401 without that error.
//
// However many requests need a refresh at the same moment, there is one, and it goes on when the request that began it is
// cancelled: its refresh token is spent as soon as it is sent. A request whose token was refused while another one is
// there already takes that one without asking the authorization server. A new token is saved before any request uses it.
// An API that refuses the new token too gets no other: the second 401 is the answer, and there is at most one refresh
// for a token.
//
// # When it can't be refreshed
//
// While the authorization server can't be reached, answers 5xx or 429, the old token is used until it expires; after that
// a request fails with [ErrRefreshFailed]. A request waits for a refresh no longer than half of what is left of the old
// token. Between two attempts there is a pause that grows from 1 s to 1 min, or what
// Retry-After says. After invalid_grant every request fails at once with [ErrSessionEnded] until [Transport.SetToken];
// the request that was under way gets its original 401.
//
// # Several processes
//
// Processes that share one session share a [Store], such as [NewFileStore]. Each refresh takes the store's lock and reads
// it again first, so that what another process has already refreshed is used and not refreshed again. A sign-in that one
// process stores with [Transport.SetToken] ends the state after [ErrSessionEnded] in the others too, within a second.
//
// # RoundTripper or Do
//
// The documentation of [http.RoundTripper] says that it should not attempt to handle authentication. Every OAuth client in
// Go does so nevertheless, because that is the one place all libraries let one in. Who takes the sentence at its word
// uses [Transport.Do], which has the shape of [http.Client.Do] and stands above the HTTP client instead of inside it.
//
// # Compatibility
//
// Fields may be added to [Config]; so it is made by [NewConfig] and can't be compared. The words of errors may change,
// their identity under [errors.Is] does not.
package authclient
