// Package redisstore keeps an authorization server's state in Redis (6.2 or later) or Valkey: one server, a Sentinel group or a cluster,
// for any number of processes.
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
// A method that returns nil has its effect in Redis' memory. What outlives a crash is as Redis is set up:
//
//   - appendonly yes, appendfsync always: everything, at the cost of a sync for each batch of writes.
//   - appendonly yes, appendfsync everysec: all but the last second or so. A refresh that is lost leaves a client one token ahead of the
//     store; with [authserver.Config].MaxRollback of 1 or more the session goes on. A sign-in, a revocation or a spent assertion that is
//     lost is lost: a session that was ended then lives again.
//   - no AOF: all since the last snapshot. Not for this.
//   - a failover to a replica loses what had not reached it, whatever the AOF says.
//
// Whoever can't have that for revocations uses package pgstore, or appendfsync always without failover. Redis must not evict: Open
// refuses a server with a maxmemory-policy other than noeviction. Replicas are not read: one that lags makes good tokens look like
// rolled back ones, so Open refuses a cluster client that reads from them.
//
// # Keys
//
// A grant is one key, {prefix}grant:{id}: a fixed head with all that ever changes, then the rest as JSON. Each step on it is one Lua
// script that touches this key alone, so it is atomic in a cluster too. Time comes with the call. Redis' clock only decides when a
// key goes that nobody has swept: an hour after its end, or after its last change if that is later; so the clocks should agree
// within the hour.
//
// Finding grants by subject, session or client is done with sorted sets of ids: {prefix}subject:…, {prefix}session:…, {prefix}client:….
// They are in other slots of a cluster than the grants and can't change in the same step. So Create enters the id there first and
// makes the grant last, and Sweep deletes the grant first: at every moment, and after a crash at any, what is in no index is no
// grant. An id that an index has and that has no grant is passed over, and a grant that is found is compared with the selector. In a
// cluster that is only true as long as no node forgets what it has acknowledged: with everysec, a node that crashes within a second of
// a sign-in may lose its entry in an index on it while the grant, on another node, survives. Such a session can be revoked by its id, and
// ends by itself, but is not found by its subject.
//
// The list of revocations, for Revoked, is one sorted set, {prefix}revoked, of times and ids. Revoke enters a grant there first and
// marks it last, and an entry counts if the grant says that it was revoked at that time: again a crash in between leaves at most an
// entry that means nothing. Entries that nobody needs any more are taken out by Sweep, by each Revoke a few, and with the whole set
// a day after the last of its grants has ended. In a cluster the set is on one node, and what is said above about a node that
// forgets is true for it as well: the grant is revoked then, and introspection says so, but the list may lack it.
//
// # Revoking many
//
// A Revoke of several grants is atomic for each of them. If it fails in the middle it returns an error, some are revoked, and the
// same call again does the rest.
package redisstore
