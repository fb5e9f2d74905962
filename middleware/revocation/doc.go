// Package revocation lets an API refuse access tokens whose session was revoked, without asking anybody during a request: it
// follows the authorization server's feed of revoked sessions and keeps them in memory.
//
//	cfg := revocation.NewConfig("https://issuer.example", "api1", secret)
//	cfg.WhenStale = revocation.Refuse
//	list, err := revocation.New(cfg)
//	go list.Run(ctx)
//
//	api := middleware.NewConfig("https://issuer.example", "api1")
//	api.Check = list.Check
//
// The feed is that of package authserver, GET {issuer}/revoked; any server may have one, its form is described at [List].
//
// # How late a revocation is seen
//
// What the server has stored is refused by the API at the latest [Config.Interval], and the time that one poll takes, after that,
// as long as the server answers. Between two servers of one issuer, or when a transaction takes long, a revocation may become visible to the
// feed later than its own time says; it is then refused that much later, and missed by an API that is running already if it
// becomes visible more than 90 s late, which is how far back the feed repeats itself.
//
// While the server does not answer nothing new is known. After [Config.MaxAge] the list is stale, and [Config.WhenStale] says
// what that means: with [Refuse] no token of the issuer is accepted any more, so that no revocation is seen later than MaxAge
// without anybody noticing; with [Accept] there is no limit. MaxAge is counted from when the last complete answer was asked for,
// by the monotonic clock, which on some systems stands still while the machine is suspended: after that, one Interval more.
//
// # What is not checked
//
//   - Tokens of other issuers: they pass. Each issuer needs a List of its own; combine their Checks in a function.
//   - Tokens without a jti: they can't be on any list, and pass. Require it with middleware.Issuer.RequiredClaims where an
//     issuer might leave it out.
//   - Access tokens that a refresh has replaced, on a server that ends those (authserver's RevokePreviousAccessToken): the session
//     goes on, so it is not in the feed. Introspection and authserver.Server.CheckAccessToken know them.
//   - Tokens after the time that the feed says for their session. Package authserver counts five minutes after exp for APIs: more
//     than that must not come together of middleware.Config.ClockSkew and of what the clocks of API and server differ.
//   - What the server does not count as a revocation: a session that only expired, a user who lost a role, a client whose scopes were
//     cut, and with authserver tokens without a session (client_credentials).
//   - Whether the token is otherwise good: that was judged before Check is asked.
//   - The feed's word. Whoever holds the issuer's TLS key or can answer in its place can have any token refused, and hide
//     revocations for as long as that lasts.
package revocation
