package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/jwks"
)

// nodeConfig is the configuration of all authorization servers of the cluster.
type nodeConfig struct {
	Issuer                             string
	Store                              storeConfig
	RefreshKeys                        [][]byte
	APISecret                          string
	AccessLifetime, Grace, KeyRotation time.Duration
	MaxRollback                        int
}

// loadClient is the client ID of all grants.
const loadClient = "load"

// clockSkew is the clock skew that the APIs allow.
const clockSkew = 10 * time.Second

// server makes an authorization server over a store.
func (c nodeConfig) server(
	store clusterStore, onEvent func(context.Context, authserver.Event), logger *slog.Logger,
) (*authserver.Server, error) {
	keys, err := jwks.NewRotator(jwks.RotatorConfig{
		Store:       store,
		RotateEvery: c.KeyRotation,
		// The key set may be cached for a quarter of a key's lifetime. It contains the next key for that whole
		// lifetime.
		MaxAge:        c.KeyRotation / 4,
		TokenLifetime: c.AccessLifetime + clockSkew,
		Logger:        logger,
	})
	if err != nil {
		return nil, err
	}
	cfg := authserver.NewConfig(c.Issuer)
	cfg.Store, cfg.Keys, cfg.RefreshKeys = store, keys, c.RefreshKeys
	cfg.AccessTokenLifetime, cfg.RefreshGrace, cfg.MaxRollback = c.AccessLifetime, c.Grace, c.MaxRollback
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	cfg.Clients = []authserver.Client{
		{ID: loadClient, GrantTypes: []string{"refresh_token"}, Scopes: []string{"api1", "offline_access"}},
		{ID: apiClient, Secrets: []authserver.Secret{authserver.HashSecret(c.APISecret)}, Serves: []string{"api1"}},
	}
	cfg.OnEvent, cfg.Logger = onEvent, logger
	return authserver.New(cfg)
}

// runNode runs one authorization server. It prints the kinds of its rarer events, so that they are counted even if it
// is killed.
func runNode(ctx context.Context, config json.RawMessage, _ <-chan string, logger *slog.Logger) error {
	var c nodeConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return errors.New("the configuration cannot be read") // the cause might quote it
	}
	logRedis(logger)
	store, closeStore, err := c.Store.openWithRetry(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { _ = closeStore() }()
	server, err := c.server(store, func(_ context.Context, e authserver.Event) {
		if e.Kind != "refresh.rotated" && e.Kind != "token.issued" {
			fmt.Println(e.Kind)
		}
	}, logger)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", server)
	mux.HandleFunc("GET /readyz", program.Readyz(program.NotReady(server.Ready)))
	listener, err := program.Listen(ctx, "addr", "127.0.0.1:0")
	if err != nil {
		return err
	}
	sweeping := make(chan error, 1)
	go func() { sweeping <- server.Run(ctx) }()
	fmt.Println(announce + program.URL(listener))
	err = program.Serve(ctx, listener, mux, logger)
	if ctx.Err() != nil {
		<-sweeping
	}
	return err
}

// logRedis sets the logger of the Redis client.
func logRedis(logger *slog.Logger) { redis.SetLogger(redisLogger{logger: logger}) }

// redisLogger forwards messages of the Redis client.
type redisLogger struct{ logger *slog.Logger }

func (l redisLogger) Printf(ctx context.Context, format string, v ...any) {
	l.logger.WarnContext(ctx, fmt.Sprintf(format, v...))
}
