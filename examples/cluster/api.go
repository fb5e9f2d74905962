package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/bearergate/bearergate/examples/internal/program"
	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/revocation"
)

// apiConfig is the configuration of an API.
type apiConfig struct {
	Issuer string
	Secret string // of the client apiClient
}

// apiClient is the client ID with which an API reads the revocation list.
const apiClient = "api1"

const (
	// pollInterval is how often an API reads the revocation list, and so normally how late it learns of a revocation.
	pollInterval = time.Second
	// listMaxAge is how late it may learn of one at all: without a list for so long, it accepts no token.
	listMaxAge = 10 * time.Second
)

// runAPI runs one API. It reads keys and the revocation list at the issuer's URL, through the front.
func runAPI(ctx context.Context, config json.RawMessage, _ <-chan string, logger *slog.Logger) error {
	var c apiConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return errors.New("the configuration cannot be read") // the cause might quote it
	}
	listConfig := revocation.NewConfig(c.Issuer, apiClient, c.Secret)
	listConfig.Interval, listConfig.MaxAge, listConfig.WhenStale = pollInterval, listMaxAge, revocation.Reject
	list, err := revocation.New(listConfig)
	if err != nil {
		return err
	}
	cfg := middleware.NewConfig(c.Issuer, "api1")
	cfg.ClockSkew, cfg.Logger, cfg.Check = clockSkew, logger, list.Check
	auth, err := middleware.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = auth.Close() }()
	mux := http.NewServeMux()
	mux.Handle("GET /identity", auth.Require("api1")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := middleware.FromContext(r.Context()); !ok {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "hello\n")
	})))
	listener, err := program.Listen(ctx, "addr", "127.0.0.1:0")
	if err != nil {
		return err
	}
	following := make(chan error, 1)
	go func() { following <- list.Run(ctx) }()
	ready, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := errors.Join(auth.Ready(ready), list.Ready(ready)); err != nil {
		return err
	}
	fmt.Println(announce + program.URL(listener))
	err = program.Serve(ctx, listener, mux, logger)
	if ctx.Err() != nil {
		<-following
	}
	return err
}
