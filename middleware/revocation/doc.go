// Package revocation lets an API reject access tokens whose grant was revoked, without a network call during a
// request. It follows the authorization server's revocation list and keeps the list in memory.
//
//	cfg := revocation.NewConfig("https://issuer.example", "api1", secret)
//	cfg.WhenStale = revocation.Reject
//	list, err := revocation.New(cfg)
//	go list.Run(ctx)
//
//	api := middleware.NewConfig("https://issuer.example", "api1")
//	api.Check = list.Check
//
// Package authserver serves its list at GET {issuer}/revoked. Any other server can have one too: [List] describes the
// format.
//
// # How soon a revocation takes effect
//
// While the server answers, the API rejects a revoked grant at the latest one [Config.Interval] after the server stored
// the revocation, plus the time that one poll takes.
//
// A revocation may become visible in the list later than its own time says: between two servers of one issuer, or when
// a transaction takes long. It then takes effect that much later. An API that is already running misses a revocation
// that becomes visible more than 90 s late, because that is how far back each poll repeats the list.
//
// While the server does not answer, the API learns nothing new. After [Config.MaxAge] the list is stale, and
// [Config.WhenStale] decides:
//
//   - [Reject]: no token of the issuer is accepted any more. No revocation is missed for longer than MaxAge.
//   - [Accept]: tokens are checked against what is known, for however long the outage lasts.
//
// MaxAge counts from the request for the last complete answer, by the monotonic clock. On some systems that clock stops
// while the machine is suspended. After a resume an outdated list may then be used for up to one Interval more.
//
// # What it does not check
//
//   - Tokens of other issuers pass. Each issuer needs its own List; call their Checks from one function.
//   - Tokens without a jti pass, because no list can name them. Where an issuer might omit it, require jti with the
//     middleware's RequiredClaims.
//   - Access tokens that a refresh has replaced, on a server that ends them (authserver's RevokePreviousAccessToken).
//     Their grant goes on, so it is not on the list. Introspection and authserver.Server.CheckAccessToken know them.
//   - Tokens that are still accepted after their entry has ended. Package authserver keeps an entry until five minutes
//     after the last exp. The middleware's ClockSkew plus the clock difference between API and server must not exceed
//     those five minutes.
//   - What the server does not count as a revocation: a grant that only expired, a user who lost a role, a client whose
//     scopes were reduced. In package authserver also tokens without a grant (client_credentials).
//   - Anything else about the token: the middleware has validated it before it calls Check.
//   - The honesty of the server. Whoever holds the issuer's TLS key, or can answer in its place, can have any token
//     rejected, and can hide revocations for as long as that lasts.
package revocation
