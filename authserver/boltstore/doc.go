// Package boltstore stores an authorization server's state in one local directory, with bbolt. It serves one process
// and needs nothing installed.
//
//	store, err := boltstore.Open("/var/lib/bearergate")
//	defer store.Close()
//	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
//	cfg.Store, cfg.RefreshKeys, cfg.Keys = store, store.RefreshKeys(), keys
//
// For several processes over one database use package pgstore or redisstore.
//
// # Files
//
//   - bearergate.db (mode 0600) holds grants, used client assertions and the private signing keys. The signing keys are
//     stored in clear. To seal them, wrap the store in a [jwks.SealedKeyStore] and give that to the Rotator. No refresh
//     token is in it.
//   - refresh.keys (mode 0600) holds the keys that refresh tokens are made with, one per line, in base64. The first one
//     signs. It is a separate file, so that a copy of the database alone is not enough to make a refresh token.
//
// A backup needs both files.
//
// To rotate the key of refresh tokens, insert a new first line and restart. After one refresh token lifetime, remove
// the old line and restart.
//
// # Durability
//
// When a method returns nil, its effect has been synced to disk. Writes that arrive during a sync share the next one.
// So a busy server needs few syncs, and a lone request never waits for others. A process may be killed at any moment:
// the directory opens again, with everything that was acknowledged. Only one process at a time can have it open.
package boltstore
