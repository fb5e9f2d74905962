package pgstore_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
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

// BenchmarkRefresh measures a whole refresh, by 1, 4 and 16 clients. It also reports how many bytes of write-ahead log
// a refresh takes, on a server that does nothing else, and the percentage of HOT updates, which change no index.
func BenchmarkRefresh(b *testing.B) {
	for _, clients := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(clients, " clients"), func(b *testing.B) {
			cfg := config(b)
			cfg.Configure = func(c *pgxpool.Config) { c.MaxConns = int32(clients) }
			s := open(b, cfg)
			number := func(sql string, args ...any) float64 {
				value, err := strconv.ParseFloat(query(b, cfg.URL, sql, args...)[0], 64)
				require.NoError(b, err)
				return value
			}
			const walSize = "SELECT pg_current_wal_insert_lsn() - '0/0'"
			before := number(walSize)
			storetest.BenchmarkRefresh(b, s, clients)
			require.NoError(b, s.Close())
			const stats = " FROM pg_stat_user_tables WHERE relname = 'grants' AND schemaname = $1"
			require.Eventually(b, func() bool { // PostgreSQL publishes a connection's counters when it ends
				return number("SELECT coalesce(sum(n_tup_upd), 0)"+stats, cfg.Schema) >= float64(b.N)
			}, time.Minute, 10*time.Millisecond)
			b.ReportMetric((number(walSize)-before)/float64(b.N), "wal-bytes/op")
			b.ReportMetric(number("SELECT 100.0 * sum(n_tup_hot_upd) / greatest(sum(n_tup_upd), 1)"+stats, cfg.Schema), "hot-%")
		})
	}
}
