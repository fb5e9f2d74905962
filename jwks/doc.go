// Package jwks is keys, both ways: it fetches and selects the keys that verify tokens ([Remote], [Set]), and it makes,
// rotates, publishes and uses the keys that sign them ([Rotator]). All three are a [KeySource], which is what the
// validator of package middleware wants of an issuer.
//
// A resource server uses a [Remote]: it finds an issuer's key set by discovery, keeps it fresh, follows a rotation with the
// very request that brings the new key, and costs the issuer little, whatever anybody sends. An authorization server uses a
// [Rotator]. A [Set] is for keys that come by another way, and for tests.
//
// # What a key has to be
//
// RSA of 2048 to 16384 bits, EC on P-256, P-384 or P-521, or Ed25519, for the algorithms RS256 to RS512, PS256 to PS512,
// ES256, ES384, ES512 and EdDSA, which RFC 9864 calls Ed25519. Symmetric keys are never taken from a document. A key of a
// document that cannot be used is skipped alone, and the reason is told: an unknown type or curve, a use other than "sig",
// key_ops without "verify", an alg that does not fit, a private member, a number that is none. Certificates beside a key
// (x5c, x5t, x5u) are not read.
//
// # Which key verifies a token
//
// The one with the token's kid, provided that type, curve and alg fit. Several if they share that kid. A token without a kid
// finds a key only if it is the only one that fits. The keys of one source are never used for tokens of another issuer: each
// issuer has a source of its own.
//
// # Where signing keys are kept
//
// In a [KeyStore]: a file ([FileKeyStore]), the store of package boltstore, pgstore or redisstore, or one of your own, which is two
// methods. A [SealedKeyStore] around it keeps them so that a copy of the store is of no use to anybody. Keys that never leave a key
// management service are a [RotatorConfig].Signer.
//
// # What went wrong
//
// ErrKeyNotFound blames the token, ErrUnavailable does not: the first is a 401, the second a 503. No error, log line or
// print of this package holds a private key.
//
// # Underneath
//
// keyfunc selects by kid and alg, jwkset reads the numbers of a key, golang-jwt signs. Their HTTP client is not used.
// None of their types is part of this package's API but for golang-jwt's Claims.
package jwks
