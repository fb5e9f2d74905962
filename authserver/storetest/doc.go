// Package storetest is a conformance suite for your own [authserver.Store], including killed nodes and network
// failures. It is the contract of the interface in executable form. Call its parts from the tests of your store:
//
//   - [Run], for every store, checks each method, also under concurrency.
//   - [RunNodes], for a store that several processes share, checks that a thousand refreshes with one token from eight
//     processes are one rotation, and that killed processes lose no grant.
//   - [RunOutage], for a store behind a network, checks that an outage spends no token, and that the store recovers. A
//     [Proxy] is a network that a test can interrupt.
//   - [RunKeys], for a store of signing keys, checks the contract of [jwks.KeyStore].
//   - [RunSealedKeys] checks that such a store encrypts the keys with a [jwks.SealedKeyStore].
//   - [BenchmarkRefresh] measures refreshes over the store.
//
// The test of a store in a database looks like this:
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
//		storetest.RunNodes(t, newDatabase, func(t *testing.T, url string) authserver.Store { return open(t, url) })
//	}
//
//	func TestOutage(t *testing.T) {
//		url := newDatabase(t)
//		proxy := storetest.NewProxy(t, url)
//		storetest.RunOutage(t, proxy, open(t, proxy.Addr()), open(t, url))
//	}
//
// Here newDatabase creates an empty database and returns its address. open returns a store on it, which it closes with
// t.Cleanup.
//
// If the store is also a [jwks.KeyStore], it holds the signing keys of the servers in these tests. The package needs no
// testing package but Go's.
//
// The suite cannot check whether data survives a crash of the machine that stores it. A store on disk needs tests of
// its own for that.
package storetest
