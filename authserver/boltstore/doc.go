// Package boltstore keeps an authorization server's state in one directory on the local disk, with bbolt: for one process, without
// anything to install.
//
//	store, err := boltstore.Open("/var/lib/bearergate")
//	defer store.Close()
//	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
//	cfg.Store, cfg.RefreshKeys, cfg.Keys = store, store.RefreshKeys(), keys
//
// # What is in the directory
//
//   - bearergate.db (mode 0600): grants, spent assertions, and the private signing keys, in clear; with a [jwks.SealedKeyStore] over the
//     store, as the Store of the Rotator, they are sealed. Refresh tokens are not in it.
//   - refresh.keys (mode 0600): the keys that refresh tokens are made with, one a line in base64. The first one signs. It is a file of
//     its own so that a copy of the database alone is not enough to make a refresh token.
//
// A backup needs both. To change the key of refresh tokens, put a new line in front, start again, and take the old line out when a
// refresh lifetime has passed.
//
// # Durability
//
// A method that returns nil has synced its effect to disk; what comes while another write is synced shares the next sync, so that a
// busy server needs few of them and a lone request waits for nobody. A process that is killed at any moment leaves a file that
// opens. One process at a time may have the directory open.
package boltstore
