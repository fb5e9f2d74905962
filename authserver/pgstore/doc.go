// Package pgstore stores an authorization server's state in PostgreSQL 14 or later, for any number of processes over
// one database.
//
//	store, err := pgstore.Open(ctx, pgstore.Config{URL: os.Getenv("DATABASE_URL"), SealKeys: [][]byte{sealKey}})
//	defer store.Close()
//	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
//	cfg.Store, cfg.RefreshKeys, cfg.Keys = store, refreshKeys, keys
//
// All processes need the same RefreshKeys and SealKeys. Neither is in the database. So a copy of the database alone is
// not enough to make a refresh token or to sign an access token.
//
// # Schema
//
// Open creates the schema named by [Config].Schema, or upgrades it. Any number of processes may start at once; one of
// them does the work. That needs the right to create a schema, or an existing schema in which the user may create
// tables. When the schema is up to date, Open only reads.
//
// Several releases may run over one schema, as long as the newest schema is marked as compatible with the older
// release. Otherwise the older release fails with [ErrSchemaTooNew].
//
// Version 2 of the schema adds one index, for the revocation list. Processes of the previous release work with it.
// Building the index reads the table once and blocks writes meanwhile: refreshes are answered with 503, and clients
// retry. That takes seconds for a million grants. If you have many millions, or a statement_timeout that is shorter,
// build the index before the upgrade, outside any transaction. Open then finds it:
//
//	CREATE INDEX CONCURRENTLY grants_by_revocation ON bearergate.grants (revoked_at, id) WHERE revoked_at IS NOT NULL
//
// If that statement fails, it leaves an invalid index: drop it and build it again. Open does not build the index this
// way, because CONCURRENTLY cannot run in the transaction that makes an upgrade happen completely or not at all.
//
// Times are milliseconds since 1970. The column history holds up to eight of them, eight bytes each, big-endian.
//
// # One statement per step
//
// Every change of a grant is one statement outside any transaction, at the default isolation level. Its WHERE clause
// decides whether it applies. A refresh changes no indexed column, so that PostgreSQL rewrites one row within its page
// and no index (a HOT update). That is also why a refresh leaves check_at alone, the column by which Sweep finds rows:
// Sweep reaches the row early, sees that it is still needed, and moves check_at then.
//
// # Connection poolers
//
// The store leaves nothing in a database session: no SET, temporary table, advisory lock, named prepared statement or
// LISTEN. Each connection describes a statement once and then sends it with its parameters in one round trip
// ([pgx.QueryExecModeCacheDescribe]). So every version of PgBouncer works, also in transaction mode. The parameter
// default_query_exec_mode in the URL selects another mode: simple_protocol for poolers that support nothing else.
// Without a pooler, cache_statement saves PostgreSQL the planning, about half of its work for a refresh.
//
// # Durability
//
// Durability is that of the server. With synchronous_commit off, or after a failover to a replica that lagged, the last
// refreshes and revocations may be lost. A client is then ahead of the store; see [authserver.Config].MaxRollback. Open
// rejects a server that is read-only: on a replica that lags, valid tokens would look like tokens ahead of the store.
package pgstore
