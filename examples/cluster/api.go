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

// apiConfig is what an API has to know.
type apiConfig struct {
	Issuer string
	Secret string // of the client apiClient
}

// apiClient is the client as which an API asks for revoked sessions.
const apiClient = "api1"

const (
	// feedInterval is how often an API asks, and so how late it sees a revocation as a rule.
	feedInterval = time.Second
	// feedMaxAge is how late it may see one at all: if it cannot ask for so long it accepts nothing.
	feedMaxAge = 10 * time.Second
)

// apiPart is one API. It finds keys and revoked sessions at the issuer's URL, through the front like everybody.
func apiPart(ctx context.Context, config json.RawMessage, _ <-chan string, logger *slog.Logger) error {
	var c apiConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return errors.New("the configuration cannot be read") // the cause might quote it
	}
	feed := revocation.NewConfig(c.Issuer, apiClient, c.Secret)
	feed.Interval, feed.MaxAge, feed.WhenStale = feedInterval, feedMaxAge, revocation.Reject
	list, err := revocation.New(feed)
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
			http.Error(w, "nobody", http.StatusInternalServerError)
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
