// Package redisstore stores an authorization server's state in Redis 6.2 or later, or in Valkey: one server, a Sentinel
// group or a cluster, for any number of processes.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	store, err := redisstore.Open(ctx, redisstore.Config{Client: client, SealKeys: [][]byte{sealKey}})
//	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
//	cfg.Store, cfg.RefreshKeys, cfg.Keys = store, refreshKeys, keys
//
// All processes need the same RefreshKeys and SealKeys. Neither is in Redis.
//
// # Durability
//
// When a method returns nil, its effect is in the memory of Redis. The configuration of Redis decides what survives a
// crash:
//
//   - appendonly yes, appendfsync always: everything, at the cost of one sync for each batch of writes.
//   - appendonly yes, appendfsync everysec: everything except about the last second. A lost refresh leaves a client one
//     token ahead of the store. With [authserver.Config].MaxRollback of 1 or more, that grant goes on. A lost sign-in
//     is gone. A lost revocation is undone: the grant works again. A client assertion whose use was lost can be used
//     again.
//   - no AOF: everything since the last snapshot is lost. Unsuitable.
//   - A failover to a replica loses what had not reached the replica, whatever the AOF settings are.
//
// If you cannot accept that for revocations, use package pgstore, or appendfsync always without failover.
//
// Redis must not evict keys: Open rejects a server whose maxmemory-policy is not noeviction. Replicas must not be read,
// because on one that lags, valid tokens would look rolled back: Open rejects a cluster client that reads from
// replicas.
//
// # Keys
//
// A grant is one key, {prefix}grant:{id}. Its value is a fixed-size head with everything that can change, followed by
// the rest as JSON. Each step on a grant is one Lua script that touches only this key. So it is atomic in a cluster
// too. The caller passes the time. Redis' own clock only decides when an unswept key expires: one hour after its end,
// or after its last change if that is later. So the clocks must agree within an hour.
//
// Sorted sets of IDs find grants by subject, session or client: {prefix}subject:…, {prefix}session:…, {prefix}client:….
// In a cluster they are in other slots than the grants, and cannot change in the same step. So Create adds the ID to
// the indexes first and creates the grant last, and Sweep deletes the grant first. At every moment, and after a crash
// at any moment, every grant is in its indexes. An ID in an index that has no grant is skipped, and a grant that is
// found is compared with the selector.
//
// In a cluster this holds only while no node loses what it has acknowledged. With everysec, a node that crashes within
// a second of a sign-in may lose its index entry, while the grant on another node survives. Such a grant can be revoked
// by its ID, and it expires, but it cannot be found by its subject.
//
// The revocation list is one sorted set of times and IDs, {prefix}revoked. Revoke adds a grant to the list first and
// revokes it last. An entry counts only if the grant itself says that it was revoked at that time. So a crash in
// between leaves at most an entry without meaning. Entries that are no longer needed are removed by Sweep, and a few of
// them by each Revoke. The whole set expires one day after its last grant has ended. In a cluster the set is on one
// node. If that node loses data, the grant is revoked, and introspection says so, but the list may lack it.
//
// # Revoking many grants
//
// A Revoke of several grants is atomic for each of them. If it fails part-way, it returns an error, some grants are
// revoked, and the same call again revokes the rest.
package redisstore
