package storetest_test

import (
	"testing"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

// A store's own test is one call.
func Example() {
	test := func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) authserver.Store {
			return authserver.NewMemoryStore() // or yours, opened for this one test
		})
	}
	_ = test // named TestStore in a _test.go file
}

// The function opens the store in this process and in eight more.
func ExampleRunNodes() {
	newDatabase := newMemory // makes a schema of its own, for example, and returns the URL
	test := func(t *testing.T) {
		storetest.RunNodes(t, newDatabase, func(t *testing.T, url string) authserver.Store {
			return share(t, url) // or yours, closed by t.Cleanup
		})
	}
	_ = test // named TestNodes in a _test.go file
}

// One store goes through a line that the test breaks, the other sees what has really happened.
func ExampleRunOutage() {
	test := func(t *testing.T) {
		server := newMemory(t) // its address, 127.0.0.1:5432 for example
		line := storetest.NewLine(t, server)
		storetest.RunOutage(t, line, share(t, line.Addr()), share(t, server))
	}
	_ = test // named TestOutage in a _test.go file
}
