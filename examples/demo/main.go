// Command demo shows what happens to a call when its access token expires. It runs an authorization server, Api1 and a web
// client in one process.
//
//	go run ./examples/demo          # runs until Ctrl-C: open its page in a browser
//	go run ./examples/demo -once    # runs the story in the terminal and ends
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bearergate/bearergate/examples/internal/program"
)

func main() {
	var (
		once           bool
		skews, apiAddr string
		s              settings
	)
	program.Main("demo", func(flags *flag.FlagSet) {
		flags.BoolVar(&once, "once", false, "run the story in the terminal, with short lifetimes and free ports; exit 0 only if every step was as it should be")
		flags.StringVar(&s.issuerAddr, "authserver-addr", "127.0.0.1:5000", "`address` of the authorization server")
		flags.StringVar(&apiAddr, "api-addr", "127.0.0.1:5001", "`address` of the Api1 with the second of the -skews; the others take free ports")
		flags.StringVar(&s.clientAddr, "client-addr", "127.0.0.1:5002", "`address` of the web client and its live page")
		flags.DurationVar(&s.lifetime, "access-token-lifetime", 20*time.Second, "`lifetime` of access tokens")
		flags.StringVar(&skews, "skews", "300s,60s,0s", "clock `skews` of the three Api1s; the first one has the ASP.NET profile")
	}, func(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
		if once {
			return runOnce(ctx, stdout)
		}
		var err error
		if s.apis, err = parseSkews(skews, apiAddr); err != nil {
			return &program.UsageError{Flag: "skews", Err: err}
		}
		return runLive(ctx, s, stdout, logger)
	})
}

func parseSkews(list, apiAddr string) ([]apiSettings, error) {
	parts := strings.Split(list, ",")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q is not three durations, write 300s,60s,0s", list)
	}
	apis := []apiSettings{{addr: "127.0.0.1:0", profile: "aspnet"}, {addr: apiAddr}, {addr: "127.0.0.1:0"}}
	for i, part := range parts {
		skew, err := time.ParseDuration(part)
		if err != nil || skew < 0 {
			return nil, fmt.Errorf("%q is not a duration of zero or more, write 60s", part)
		}
		apis[i].skew, apis[i].requireExp = skew, true
		apis[i].name = fmt.Sprintf("Api1, skew %v s", skew.Seconds())
		if i == 0 {
			apis[i].name += ", ASP.NET"
		}
	}
	return apis, nil
}

// runOnce runs the story on free ports with lifetimes of two seconds.
func runOnce(ctx context.Context, stdout io.Writer) error {
	const lifetime, skew = 2 * time.Second, 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler) // the story is on stdout; the refusals in it are meant to happen
	s, err := start(ctx, settings{
		issuerAddr: "127.0.0.1:0", clientAddr: "127.0.0.1:0", lifetime: lifetime,
		apis: []apiSettings{
			{addr: "127.0.0.1:0", skew: skew, requireExp: true},
			{addr: "127.0.0.1:0", skew: skew, requireExp: false},
		},
	}, quiet, func(_ context.Context, s *servers) (http.Handler, error) { return s.client, nil })
	if err != nil {
		return err
	}
	story := newStory(s, stdout, lifetime, skew)
	err = story.run(ctx)
	s.stop()
	if err := errors.Join(err, s.wait()); err != nil {
		return err
	}
	if story.failed > 0 {
		return fmt.Errorf("%d of %d steps were not as they should be", story.failed, story.steps)
	}
	fmt.Fprintf(stdout, "\nAll %d steps were as they should be.\n", story.steps)
	return nil
}
