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
	// bulkTimeoutFactor multiplies the timeout of a call that may concern all grants of a client.
	bulkTimeoutFactor = 12
)

// Config configures [Open]. Optional fields have defaults for their zero value. Printing a Config shows neither URL nor
// keys.
type Config struct {
	// URL is the connection string, as [pgxpool.ParseConfig] takes it: a URL or key=value pairs, with pool_… settings.
	// **Required.**
	URL string

	// SealKeys are AES-256 keys of 32 bytes each, which encrypt the private signing keys; see [jwks.SealedKeyStore].
	// The first one encrypts, all of them decrypt. At least one is **required**.
	//
	// To rotate: 1. Append the new key and deploy everywhere. 2. Move it to the front and deploy everywhere. 3. Remove
	// the old key. [Open] encrypts again what was not encrypted with the first key. So before step 3, one process must
	// start after the last one with the old order has stopped.
	SealKeys [][]byte

	// Schema is the schema of the tables; the default is "bearergate". Statements use qualified names, so search_path
	// has no effect.
	Schema string

	// Timeout limits each call, in addition to the call's context; the default is 5 seconds. A Revoke or Grants whose
	// selector names no single grant may take twelve times as long. A call that runs out of time fails, and the server
	// answers 503.
	Timeout time.Duration

	// Configure may change the pool's configuration before the pool is opened: for TLS, a tracer, or BeforeConnect with
	// short-lived passwords. A tracer sees the arguments of statements, which include no token and no unencrypted key.
	Configure func(*pgxpool.Config)
}

// Format implements [fmt.Formatter]. It prints no password and no key, whatever the verb.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "pgstore.Config") }

// withDefaults checks everything that needs no connection, except SealKeys.
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

// errURL does not wrap the parser's error, which would quote the URL with its password.
var errURL = errors.New("pgstore: URL must look like postgres://user@host/db, with parameters that pgx knows")

func poolConfig(url string) (*pgxpool.Config, error) {
	if url == "" {
		return nil, errors.New("pgstore: URL is empty, it must look like postgres://user@host/db")
	}
	pool, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	conn, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	if _, chosen := conn.RuntimeParams["default_query_exec_mode"]; !chosen {
		pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	// A replica that lags would show old rows, and a token ahead of its row is rejected. So never read from one.
	if pool.ConnConfig.ValidateConnect == nil {
		pool.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return pool, nil
}
