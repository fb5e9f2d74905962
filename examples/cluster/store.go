package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/pgstore"
	"github.com/bearergate/bearergate/authserver/redisstore"
	"github.com/bearergate/bearergate/jwks"
)

// storeConfig describes the store. All nodes get the same one.
type storeConfig struct {
	Kind, URL string
	Space     string // the schema or the key prefix of this run
	SealKey   []byte
}

// clusterStore stores grants and signing keys.
type clusterStore interface {
	authserver.Store
	jwks.KeyStore
}

// maxConnections limits the connections of a node to its database: there are many nodes, and the database has few
// processors.
const maxConnections = 8

func newStoreConfig(kind, url string) storeConfig {
	key := make([]byte, 32)
	rand.Read(key)
	return storeConfig{Kind: kind, URL: url, Space: "cluster_" + rand.Text()[:12], SealKey: key}
}

// open opens the store. The returned function closes its connections.
func (c storeConfig) open(ctx context.Context) (clusterStore, func() error, error) {
	seal := [][]byte{c.SealKey}
	if c.Kind == kindPostgres {
		s, err := pgstore.Open(ctx, pgstore.Config{URL: c.URL, Schema: c.Space, SealKeys: seal,
			Configure: func(p *pgxpool.Config) { p.MaxConns = maxConnections }})
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	client, err := c.redis()
	if err != nil {
		return nil, nil, err
	}
	s, err := redisstore.Open(ctx, redisstore.Config{Client: client, Prefix: c.Space + ":", SealKeys: seal})
	if err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return s, client.Close, nil
}

// checkURL returns an error if a URL is not one of the kind. The error does not quote the URL, which may contain a
// password.
func checkURL(kind, url string) error {
	var err error
	if kind == kindPostgres {
		_, err = pgx.ParseConfig(url)
	} else {
		_, err = redis.ParseURL(url)
	}
	if err != nil {
		return fmt.Errorf("it is not the URL of a %s server", kind)
	}
	return nil
}

func (c storeConfig) redis() (*redis.Client, error) {
	o, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, checkURL(c.Kind, c.URL)
	}
	o.PoolSize, o.ContextTimeoutEnabled = maxConnections, true
	return redis.NewClient(o), nil
}

var errNoStore = errors.New("the store cannot be opened")

// openWithRetry retries until the database can be reached, or ctx ends.
func (c storeConfig) openWithRetry(ctx context.Context, logger *slog.Logger) (clusterStore, func() error, error) {
	for {
		s, closeStore, err := c.open(ctx)
		if err == nil {
			return s, closeStore, nil
		}
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		logger.Warn("the store cannot be opened yet", "error", err)
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// drop deletes the data of this run from a server that keeps running.
func (c storeConfig) drop(ctx context.Context) error {
	if c.Kind == kindPostgres {
		conn, err := pgx.Connect(ctx, c.URL)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{c.Space}.Sanitize()+" CASCADE")
		_ = conn.Close(ctx)
		return err
	}
	client, err := c.redis()
	if err != nil {
		return err
	}
	defer client.Close()
	for iter := client.Scan(ctx, 0, c.Space+":*", 1000).Iterator(); ; {
		if !iter.Next(ctx) {
			return iter.Err()
		}
		if err := client.Unlink(ctx, iter.Val()).Err(); err != nil {
			return err
		}
	}
}
