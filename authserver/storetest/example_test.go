package storetest_test

import (
	"testing"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

// The test of a store is one call.
func Example() {
	test := func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) authserver.Store {
			return authserver.NewMemoryStore() // or yours, opened for this one test
		})
	}
	_ = test // named TestStore in a _test.go file
}

// The last argument opens the store in this process and in eight others.
func ExampleRunNodes() {
	newDatabase := newMemory // for example, creates a schema and returns the URL
	test := func(t *testing.T) {
		storetest.RunNodes(t, newDatabase, func(t *testing.T, url string) authserver.Store {
			return openRemote(t, url) // or yours, closed by t.Cleanup
		})
	}
	_ = test // named TestNodes in a _test.go file
}

// One store connects through a proxy that the test interrupts, the other one directly.
func ExampleRunOutage() {
	test := func(t *testing.T) {
		server := newMemory(t) // its address, for example 127.0.0.1:5432
		proxy := storetest.NewProxy(t, server)
		storetest.RunOutage(t, proxy, openRemote(t, proxy.Addr()), openRemote(t, server))
	}
	_ = test // named TestOutage in a _test.go file
}
