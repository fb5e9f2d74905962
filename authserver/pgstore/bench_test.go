package pgstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// BenchmarkAdvance is the atomic step of a refresh, each worker on a session of its own.
func BenchmarkAdvance(b *testing.B) {
	for _, mode := range []string{"cache_describe", "exec", "simple_protocol", "cache_statement"} {
		b.Run(mode, func(b *testing.B) {
			cfg := config(b)
			cfg.URL += "&default_query_exec_mode=" + mode
			s := open(b, cfg)
			require.NoError(b, s.Create(b.Context(), grant("a")))
			step := authserver.Step{ID: "a", From: 1, Now: epoch, IdleExpiresAt: epoch.Add(time.Hour), AccessExpiresAt: epoch}
			for b.Loop() {
				step.To = step.From + 1
				require.NoError(b, s.Advance(b.Context(), step))
				step.From++
			}
		})
	}
}

// BenchmarkRefresh is the whole of it: the token endpoint's work, a read, a signature and the step, by 1 and by 16 clients.
func BenchmarkRefresh(b *testing.B) {
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprint(clients, " clients"), func(b *testing.B) {
			cfg := config(b)
			cfg.Configure = func(c *pgxpool.Config) { c.MaxConns = int32(clients) }
			srv, err := newServer(open(b, cfg), nil)
			require.NoError(b, err)
			tokens := make(chan string, clients)
			for i := range clients {
				issued, err := srv.IssueTokens(context.Background(), authserver.IssueRequest{ClientID: "app", Subject: fmt.Sprint("user ", i)})
				require.NoError(b, err)
				tokens <- issued.RefreshToken
			}
			b.SetParallelism(clients)
			b.RunParallel(func(pb *testing.PB) {
				token := <-tokens
				defer func() { tokens <- token }()
				for pb.Next() {
					a, err := refresh(srv, token)
					if err != nil || a.status != 200 {
						b.Error(a.status, a.Error, err)
						return
					}
					token = a.RefreshToken
				}
			})
		})
	}
}
