// Package storetest is the contract of [authserver.Store] in executable form. A store's own tests call its parts:
//
//   - [Run], for every store: what each method does, also when many call it at once.
//   - [RunNodes], for a store that several processes share: a thousand submissions of one refresh token from eight processes are one
//     rotation, and processes that are killed lose no session.
//   - [RunOutage], for a store behind a network: while it is away nothing is burned, and when it is back all goes on. A [Line] is a
//     network that a test can break.
//   - [RunKeys], for a store that keeps signing keys, a [jwks.KeyStore], whether it is an authserver.Store or not.
//
// So the test of a database's store is
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) authserver.Store { return open(t, newDatabase(t)) })
//	}
//
//	func TestKeyStore(t *testing.T) {
//		storetest.RunKeys(t, func(t *testing.T) jwks.KeyStore { return open(t, newDatabase(t)) })
//	}
//
//	func TestNodes(t *testing.T) {
//		storetest.RunNodes(t, newDatabase, func(t *testing.T, database string) authserver.Store { return open(t, database) })
//	}
//
//	func TestOutage(t *testing.T) {
//		database := newDatabase(t)
//		line := storetest.NewLine(t, database)
//		storetest.RunOutage(t, line, open(t, line.Addr()), open(t, database))
//	}
//
// with a newDatabase that makes an empty database and says where it is, and an open that returns the store on it and closes it with t.Cleanup.
//
// A store that is a [jwks.KeyStore] too keeps the signing keys of the servers in these tests. The package needs no other testing package
// than Go's. What it can't judge is whether data outlives a crash of the machine that it is on: a store on disk shows that in tests of its
// own.
package storetest
