package pgstore_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
	"github.com/bearergate/bearergate/authserver/storetest"
)

// Each of the eight processes has a pool and a server of its own.
func TestNodes(t *testing.T) {
	storetest.RunNodes(t,
		func(t *testing.T) string {
			cfg := config(t)
			return cfg.Schema + "\n" + cfg.URL
		},
		func(t *testing.T, location string) authserver.Store {
			schema, url, _ := strings.Cut(location, "\n")
			return open(t, pgstore.Config{URL: url, Schema: schema, SealKeys: [][]byte{sealKey}, Timeout: time.Minute,
				Configure: func(c *pgxpool.Config) { c.MaxConns = 3 }})
		})
}

func TestOutage(t *testing.T) {
	cfg := config(t)
	direct := open(t, cfg)
	parsed, err := pgx.ParseConfig(cfg.URL)
	require.NoError(t, err)
	proxy := storetest.NewProxy(t, net.JoinHostPort(parsed.Host, fmt.Sprint(parsed.Port)))
	host, port, err := net.SplitHostPort(proxy.Addr())
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	through := cfg
	through.Configure = func(c *pgxpool.Config) {
		c.MaxConns, c.ConnConfig.Host, c.ConnConfig.Port, c.ConnConfig.Fallbacks = 4, host, uint16(number), nil
	}
	storetest.RunOutage(t, proxy, open(t, through), direct)
}
