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
