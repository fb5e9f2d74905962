// Package storetest is the contract of [authserver.Store] in executable form. A store's own test calls [Run]:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) authserver.Store { return open(t, t.TempDir()) })
//	}
//
// It needs nothing but the testing package. What it can't judge is whether data outlives the process: a store on disk shows that
// in tests of its own.
package storetest
