package pgstore

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	defaultSchema  = "bearergate"
	defaultTimeout = 5 * time.Second
	// wide is how much longer than others a call may take that may concern all grants of a client.
	wide = 12
)

// Config says where the database is. A zero value means the default. Printing it shows neither URL nor keys.
type Config struct {
	// URL is what [pgxpool.ParseConfig] takes: a URL or key=value pairs, the pool_… settings too. **Required.**
	URL string

	// SealKeys are the AES-256 keys (32 bytes each) that the signing keys are sealed with, see [jwks.SealedKeyStore]; at least one is
	// **required**. The first seals, all of them open. To change the key, give all processes the new one as second, then as first; when
	// none is left that has the old one first, start one more, then drop the old one: Open seals anew what is not sealed with the first.
	SealKeys [][]byte

	// Schema is the schema of the tables; default "bearergate". Names in statements are qualified, search_path has no influence.
	Schema string

	// Timeout is how long a call may take if its context allows more; default 5 seconds. A Revoke or Grants that names no single
	// grant may take twelve times as long. What is too late fails, and is answered with 503.
	Timeout time.Duration

	// Configure, if set, may change the pool before it is opened: TLS, BeforeConnect for short-lived passwords, a tracer. A tracer
	// sees the statements' arguments; they include no token and no clear key.
	Configure func(*pgxpool.Config)
}

// Format implements [fmt.Formatter]: whatever the verb, no password and no key is printed.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "pgstore.Config") }

// withDefaults checks everything that can be checked without a connection, but for SealKeys.
func (c Config) withDefaults() (Config, *pgxpool.Config, error) {
	if c.Schema == "" {
		c.Schema = defaultSchema
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	var problems []error
	if c.Timeout < 0 {
		problems = append(problems, fmt.Errorf("pgstore: Timeout is negative: %v", c.Timeout))
	}
	pool, err := poolConfig(c.URL)
	if err != nil {
		problems = append(problems, err)
	} else if c.Configure != nil {
		c.Configure(pool)
	}
	return c, pool, errors.Join(problems...)
}

func poolConfig(url string) (*pgxpool.Config, error) {
	if url == "" {
		return nil, errors.New("pgstore: URL is empty")
	}
	pool, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("pgstore: URL is not a connection string") // the cause would quote it, with the password in it
	}
	plain, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, errors.New("pgstore: URL is not a connection string")
	}
	if _, chosen := plain.RuntimeParams["default_query_exec_mode"]; !chosen {
		pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	// A replica that lags shows rows as they were; a token that is ahead of its row is refused. So never read from one.
	if pool.ConnConfig.ValidateConnect == nil {
		pool.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return pool, nil
}
