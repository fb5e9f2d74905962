// Package pgstore keeps an authorization server's state in PostgreSQL (14 or later): for any number of processes over one database.
//
//	store, err := pgstore.Open(ctx, pgstore.Config{URL: os.Getenv("DATABASE_URL"), SealKeys: [][]byte{sealKey}})
//	defer store.Close()
//	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: store})
//	cfg.Store, cfg.RefreshKeys, cfg.Keys = store, refreshKeys, keys
//
// All processes need the same RefreshKeys and SealKeys. Neither is in the database, so that a copy of the database alone is enough
// neither to make a refresh token nor to sign an access token.
//
// # The schema
//
// Open makes it, or brings it up to date, in the schema [Config].Schema; any number of processes may start at once, and one of them
// does it. It takes the right to create a schema, or one that is there already and that the user may create tables in. Once it is up
// to date Open only reads. Releases beside each other are fine as long as the newer one's schema says that the older one can work
// with it; otherwise the older one fails with [ErrSchemaTooNew].
//
// Version 2 of the schema has one index more, for the list of revoked sessions; processes of the release before work with it. Building it
// reads the table once, and meanwhile nobody can write to it: refreshes are answered with 503, and the clients try again. It takes
// seconds for a million grants. Who can't have that for many millions, or has a statement_timeout that is shorter, builds it before the
// upgrade, outside of any transaction, and Open finds it:
//
//	CREATE INDEX CONCURRENTLY grants_by_revocation ON bearergate.grants (revoked_at, id) WHERE revoked_at IS NOT NULL
//
// If that fails it leaves an index that is not valid: drop it, and build it again. Open does not do it this way, because it can't
// be done in the transaction that makes a change of the schema happen as a whole or not at all.
//
// Times are in milliseconds since 1970. The history of a grant is up to eight of them, eight bytes each, big-endian.
//
// # Each step is one statement
//
// Every change of a grant is one statement outside of any transaction, at the default isolation: what decides is in its WHERE. A
// refresh touches no indexed column, so that PostgreSQL rewrites one row in its page and no index (a HOT update). For the same reason
// check_at, by which Sweep finds rows, is not moved by a refresh: Sweep comes too early, sees that the row lives, and moves it then.
//
// # Connection poolers
//
// Nothing is kept in the session: no SET, no temporary table, no advisory lock, no named prepared statement, no LISTEN. Statements are
// described once for each connection and then sent with their parameters in one round trip ([pgx.QueryExecModeCacheDescribe]), so
// PgBouncer's transaction mode is fine, of any version. default_query_exec_mode in the URL chooses another way: simple_protocol for
// poolers that know nothing else. Where there is no pooler, cache_statement spares PostgreSQL the planning, which is about half of its work
// for a refresh.
//
// # Durability
//
// As the server is set up to be: with synchronous_commit off, or after a failover to a replica that lags behind, the last refreshes
// and revocations may be gone. A client is then ahead of the store, see [authserver.Config].MaxRollback. Connections to a server that
// is read-only are refused: a replica that lags would make good tokens look like that.
package pgstore
