// Package middleware validates JWT access tokens in front of HTTP handlers, and without HTTP too.
//
// Start with [NewConfig] and [New]:
//
//	cfg := middleware.NewConfig("https://issuer.example", "api1")
//	auth, err := middleware.New(cfg)
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer auth.Close()
//	mux.Handle("GET /identity", auth.Handler(identity))
//	mux.Handle("POST /orders", auth.Require("orders:write")(orders))
//
// A handler gets the accepted token, a [Token], with [FromContext], and its claims in a struct of its own with
// [Claims]. Where there is no HTTP (gRPC, queues, websockets), [NewValidator] validates the text of a token in the same
// way.
//
// # What is validated, and in which order
//
// [Validator.Validate] is the only place where a token is validated. Cheap checks come before expensive ones, and
// nothing unauthenticated reaches the network before step 5:
//
//  1. The form: at most [Config.MaxTokenSize] bytes, three non-empty segments, strict base64url without padding, line
//     breaks or stray bits (RFC 7515, Section 2).
//  2. The cache: a token that was accepted before has passed the other steps. It must be the same byte for byte, its
//     key must still be published, and exp, nbf, iat and MaxTokenAge are checked again. Then only step 8 follows.
//  3. The header: one JSON object without duplicate members, alg on the allow-list, typ acceptable, no crit and no b64,
//     kid a short string. jku, x5u, jwk and x5c are never read (RFC 8725, Sections 3.1 and 3.10).
//  4. The claims: one JSON object without duplicate members or registered names in another case. iss is configured, aud
//     contains a name of this server, and exp, nbf and iat are valid now.
//  5. The key: found by issuer, kid, key type, curve, alg, use and key_ops.
//  6. The signature, over the same bytes. What golang-jwt leaves open is decided strictly, see [jwks.Key.Verify].
//  7. The claims that the profile and the issuer's configuration require.
//  8. The caller's own [Config.Check].
//
// # How refusals are answered
//
// Every refusal belongs to one class, which decides the answer. It wraps the cause, golang-jwt's own errors among them,
// so that errors.Is(err, jwt.ErrTokenExpired) works, and has a stable word for logs and metrics, see [Reason].
//
//	ErrNoToken                    401, a challenge without an error code
//	ErrInvalidRequest             400 error="invalid_request"
//	ErrInvalidToken               401 error="invalid_token": what makes a client refresh
//	ErrInsufficientAuthentication 401 error="insufficient_user_authentication" (RFC 9470)
//	ErrInsufficientScope          403 error="insufficient_scope", scope="…"
//	ErrKeysUnavailable            503 and Retry-After: the client's token may be fine
//	ErrCheckUnavailable           503 and Retry-After
//
// Errors and log lines tell the operator what was there and what was wanted. Answers to clients come from a fixed table
// and contain nothing of the token, but for [StyleASPNET].
//
// # What it costs
//
// A new token costs the verification of its signature and little more, a cached one ([Config.CacheBytes]) next to
// nothing, and one that is rejected before step 5 a few microseconds. A [Token] never changes, so that requests share
// the cached one. Few signatures are verified at the same time ([Config.MaxVerifications]), so that a flood of forged
// ones leaves room for requests whose token is cached.
//
// # What it does not do
//
// It does not decrypt tokens (JWE), accept symmetric algorithms, exempt paths (that is the router's job), answer CORS
// preflights (they carry no token: answer them in front), or let requests with a bad token pass. It does not check
// whether the bearer of a token is the client that it was issued to.
//
// # Testing
//
// Package authtest is an issuer in one line inside your own tests. It also makes accepted Tokens, and contexts with
// them, for functions that are given one; a Token can't be made by hand.
//
// # Compatibility
//
// Reasons, error classes and the defaults of [NewConfig] are part of the promise of the module's version; the texts of
// errors are not.
package middleware
