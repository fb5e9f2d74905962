package pgstore_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
)

// BenchmarkAdvance measures the atomic step of a refresh.
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

// BenchmarkRefresh is the whole of it: the token endpoint's work, a read, a signature and the step, by 1, 4 and 16
// clients; what of the log each refresh takes, on a server that does nothing else; and how many of a hundred are HOT
// updates, which change no index.
func BenchmarkRefresh(b *testing.B) {
	for _, clients := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(clients, " clients"), func(b *testing.B) {
			cfg := config(b)
			cfg.Configure = func(c *pgxpool.Config) { c.MaxConns = int32(clients) }
			s := open(b, cfg)
			srv, err := newServer(s, nil)
			require.NoError(b, err)
			tokens := make(chan string, clients)
			for i := range clients {
				issued, err := srv.IssueTokens(
					context.Background(),
					authserver.IssueRequest{ClientID: "app", Subject: fmt.Sprint("user ", i)},
				)
				require.NoError(b, err)
				tokens <- issued.RefreshToken
			}
			log := query(b, cfg.URL, "SELECT pg_current_wal_insert_lsn() - '0/0'")[0]
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
			b.StopTimer()
			require.NoError(b, s.Close())
			require.Eventually(b, func() bool { // what a connection has counted it tells when it ends
				return query(b, cfg.URL, "SELECT sum(n_tup_upd) >= $1 FROM pg_stat_user_tables WHERE relname = 'grants' AND schemaname = $2", b.N, cfg.Schema)[0] == "t"
			}, time.Minute, 10*time.Millisecond)
			for name, sql := range map[string]string{
				"wal-bytes/op": "SELECT (pg_current_wal_insert_lsn() - '0/0' - " + log + ") / " + fmt.Sprint(b.N),
				"hot-%":        "SELECT 100.0 * sum(n_tup_hot_upd) / greatest(sum(n_tup_upd), 1) FROM pg_stat_user_tables WHERE relname = 'grants' AND schemaname = '" + cfg.Schema + "'",
			} {
				value, err := strconv.ParseFloat(query(b, cfg.URL, sql)[0], 64)
				require.NoError(b, err)
				b.ReportMetric(value, name)
			}
		})
	}
}
