package authserver_test

import (
	"testing"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) authserver.Store { return authserver.NewMemoryStore() })
}
