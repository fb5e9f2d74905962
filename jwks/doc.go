// Package jwks fetches, selects, rotates, publishes and signs with the keys of JWT access tokens.
//
// An API uses a [Remote]. It finds the issuer's key set by discovery, keeps it fresh, and follows a rotation with the
// very request that brings the new key:
//
//	keys, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: "https://issuer.example"})
//	…
//	defer keys.Close()
//	found, err := keys.Lookup(ctx, kid, alg)
//	…
//	err = found[0].Verify(alg, signingInput, signature)
//
// Package middleware makes one by itself. An authorization server uses a [Rotator], which makes the keys, rotates and
// publishes them, and signs with them. A [Set] holds fixed keys, for tests and for keys that come by another way than
// HTTP. All three are a [KeySource], which is what the validator of package middleware wants of an issuer.
//
// # Keys and algorithms
//
// The algorithms are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA, which RFC 9864 calls
// Ed25519. [Supported] knows their names, [Key.Fits] says which of them a key is for, and [Key.Verify] verifies a
// signature.
//
// A key is RSA of 2048 to 16384 bits, EC on P-256, P-384 or P-521, or Ed25519. A key in a document that can't be used
// is skipped alone, and the reason is reported as [Skipped]: an unknown type or curve, a symmetric key, a private
// member, a use other than "sig", key_ops without "verify", an alg that does not fit, a number that can't be decoded.
// Certificates beside a key (x5c, x5t, x5u) are not read.
//
// # Which key verifies a token
//
// The key with the token's kid, if its type, curve and alg fit. Several keys, if they share that kid. A token without a
// kid finds a key only if exactly one fits. The keys of one source must never be used for tokens of another issuer:
// each issuer has a source of its own.
//
// # Where signing keys are kept
//
// In a [KeyStore]: a file ([FileKeyStore]), the store of package boltstore, pgstore or redisstore, or your own, which
// is two methods. A [SealedKeyStore] encrypts them, so that a copy of the store is of no use to anybody. Keys that
// never leave a key management service are a [RotatorConfig].Signer.
//
// # Errors
//
// [ErrKeyNotFound] blames the token: a resource server answers 401. [ErrUnavailable] does not: it answers 503. No
// error, log line or print of this package holds a private key.
//
// # golang-jwt and keyfunc
//
// [Keyfunc] gives golang-jwt's parser the keys of a source. [FromKeyfunc] makes a source of a keyfunc that you run
// already. Beneath, jwkset reads the numbers of a published key. The HTTP client of keyfunc and jwkset is not used.
//
// # What this package does not do
//
// It does not parse or validate tokens: package middleware does. It has no symmetric keys, no encryption keys and no
// certificate chains, and it does not verify signed key sets.
package jwks
