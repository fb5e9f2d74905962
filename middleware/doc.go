// Package middleware judges JWT access tokens in front of HTTP handlers, and without HTTP too.
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
// A handler needs one type, [Token], and two functions: [FromContext] for the token that was accepted and [Claims] for
// its claims in a struct of the handler's own. Where there is no HTTP (gRPC, queues, websockets), [NewValidator] gives
// the same judgement over a string; [Validator.Validate] is the only place where a token is judged.
//
// # What is judged, and in which order
//
// Cheap checks stand before dear ones, and nothing unauthenticated reaches the network before step 5:
//
//  1. the size, three non-empty segments, strict base64url without padding, line breaks or stray bits (RFC 7515 §2);
//  2. the verified tokens that are remembered: a text that is one of them, byte for byte, and whose key the issuer still
//     publishes, has passed steps 1 to 7; exp, nbf, iat and MaxTokenAge are judged again, and step 8 follows;
//  3. the header: one JSON object without duplicate members, alg on the allow-list, typ acceptable, no crit and no b64,
//     kid a short string; jku, x5u, jwk and x5c are never read (RFC 8725 §3.1, §3.10);
//  4. the payload: one JSON object without duplicate members or case-folded twins of registered names; iss is known,
//     aud is ours, exp, nbf and iat hold;
//  5. the key, by issuer, kid, key type, curve, alg, use and key_ops;
//  6. the signature over the same bytes, with the verdicts of golang-jwt but stricter where it leaves something open;
//  7. the claims that the profile and the issuer's configuration require;
//  8. the caller's own [Config.Check].
//
// # What is answered
//
// Every refusal belongs to one class, which decides the answer, wraps the cause (golang-jwt's own errors, so that
// errors.Is(err, jwt.ErrTokenExpired) works) and has a stable word for logs and metrics, see [Reason].
//
//	ErrNoToken                    401, a challenge without an error code
//	ErrInvalidRequest             400 error="invalid_request"
//	ErrInvalidToken               401 error="invalid_token": what makes a client refresh
//	ErrInsufficientAuthentication 401 error="insufficient_user_authentication" (RFC 9470)
//	ErrInsufficientScope          403 error="insufficient_scope", scope="…"
//	ErrKeysUnavailable            503 and Retry-After: the client's token may be fine
//	ErrCheckUnavailable           503 and Retry-After
//
// # What it costs
//
// A new token costs its signature's verification and little more, one that is remembered ([Config.CacheEntries]) next to
// nothing, and what is refused before step 5 a microsecond or two. A [Token] never changes, so that requests share the one
// that is remembered; [Bearer.HandlerFunc] hands it over without a context. Signatures are verified a few at a time
// ([Config.MaxVerifications]), so that a flood of forged ones leaves room for requests whose token is known.
//
// # Testing
//
// Package authtest, beside this one, is an issuer in one line inside your own tests. It has accepted Tokens and contexts with
// them, too, for functions that are given one; a Token can't be made by hand.
//
// # Compatibility
//
// Reasons, error classes and the defaults of [NewConfig] are part of the promise of the module's version; the texts of
// errors are not.
package middleware
