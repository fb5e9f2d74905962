package redisstore_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/redisstore"
	"github.com/bearergate/bearergate/authserver/storetest"
)

// BenchmarkCreate measures Create, and how much memory a grant takes, on a server of its own.
func BenchmarkCreate(b *testing.B) {
	addr, stop, err := startServer()
	require.NoError(b, err)
	b.Cleanup(stop)
	client := connect(b, addr)
	s := open(b, redisstore.Config{Client: client, SealKeys: [][]byte{sealKey}})
	used := func() float64 {
		info, err := client.Info(context.Background(), "memory").Result()
		require.NoError(b, err)
		n, err := strconv.ParseFloat(regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(info)[1], 64)
		require.NoError(b, err)
		return n
	}
	before := used()
	now := time.Now().UTC().Truncate(time.Millisecond)
	i := 0
	for ; b.Loop(); i++ {
		require.NoError(b, s.Create(b.Context(), authserver.Grant{
			ID: fmt.Sprintf("%022d", i), Salt: make([]byte, 16), ClientID: "client", Subject: fmt.Sprintf("user-%032d", i),
			SessionID: fmt.Sprintf("session%015d", i), Refresh: true, RedirectURI: "https://app.example/signin-oidc",
			Scopes:    []string{"openid", "profile", "api1", "offline_access"},
			Challenge: fmt.Sprintf("%043d", i), Nonce: fmt.Sprintf("%022d", i), AMR: []string{"pwd"}, AuthTime: now,
			CreatedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour), IdleExpiresAt: now.Add(time.Minute),
		}))
	}
	b.ReportMetric((used()-before)/float64(i), "bytes/grant")
}

// BenchmarkAdvance measures the atomic step of a refresh.
func BenchmarkAdvance(b *testing.B) {
	s := open(b, config(b))
	require.NoError(b, s.Create(b.Context(), grant("a")))
	step := authserver.Step{ID: "a", From: 1, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour), AccessExpiresAt: epoch}
	for b.Loop() {
		step.To = step.From + 1
		require.NoError(b, s.Advance(b.Context(), step))
		step.From++
	}
}

// BenchmarkRefresh measures a whole refresh, by 1, 4 and 16 clients.
func BenchmarkRefresh(b *testing.B) {
	for _, clients := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(clients, " clients"), func(b *testing.B) {
			storetest.BenchmarkRefresh(b, open(b, config(b)), clients)
		})
	}
}
