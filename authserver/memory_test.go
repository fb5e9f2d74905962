package authserver_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) authserver.Store { return authserver.NewMemoryStore() })
}

// A sweep looks at a bounded number of rows. More grants than that must not keep it from the keys.
func TestSweepOfKeysWithManyGrants(t *testing.T) {
	s := authserver.NewMemoryStore()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range 1000 {
		g := authserver.Grant{ID: strconv.Itoa(i), Subject: "alice", ClientID: "app", CreatedAt: now, ExpiresAt: now.Add(time.Hour), IdleExpiresAt: now.Add(time.Hour)}
		require.NoError(t, s.Create(t.Context(), g))
	}
	require.NoError(t, s.Once(t.Context(), "key", now, now.Add(time.Minute)))
	n, err := s.Sweep(t.Context(), now.Add(time.Minute), 10)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}
