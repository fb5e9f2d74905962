// Command demo runs the whole story in one process: an authorization server, Api1 and a web client, and what happens to a
// call when its access token expires.
//
//	go run ./examples/demo          # stays up: look at it in a browser
//	go run ./examples/demo -once    # tells the story in the terminal and ends
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bearergate/bearergate/examples/internal/program"
)

func main() {
	var (
		once bool
		s    settings
	)
	program.Main("demo", func(flags *flag.FlagSet) {
		flags.BoolVar(&once, "once", false, "tell the story in the terminal, with short lifetimes and free ports, and exit 0 only if every step was right")
		flags.StringVar(&s.issuerAddr, "authserver-addr", "127.0.0.1:5000", "`address` of the authorization server")
		flags.StringVar(&s.apiAddr, "api-addr", "127.0.0.1:5001", "`address` of Api1")
		flags.StringVar(&s.clientAddr, "client-addr", "127.0.0.1:5002", "`address` of the web client")
		flags.DurationVar(&s.lifetime, "access-token-lifetime", 30*time.Second, "how long an access token is good")
		flags.DurationVar(&s.skew, "skew", 15*time.Second, "Api1's clock skew")
	}, func(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
		if once {
			return tellOnce(ctx, stdout, logger)
		}
		return stayUp(ctx, s, stdout, logger)
	})
}

// tellOnce runs the story on free ports with lifetimes of two seconds.
func tellOnce(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler) // the story is on stdout; the refusals in it are meant to happen
	s, err := start(ctx, settings{
		issuerAddr: "127.0.0.1:0", apiAddr: "127.0.0.1:0", clientAddr: "127.0.0.1:0",
		lifetime: 2 * time.Second, skew: 2 * time.Second,
	}, quiet)
	if err != nil {
		return err
	}
	story := newStory(s, stdout, 2*time.Second)
	told := story.tell(ctx)
	s.stop()
	if err := errors.Join(told, s.wait()); err != nil {
		return err
	}
	if story.wrong > 0 {
		return fmt.Errorf("%d of %d steps were not as they should be", story.wrong, story.steps)
	}
	fmt.Fprintf(stdout, "\nAll %d steps were as they should be.\n", story.steps)
	return nil
}

func stayUp(ctx context.Context, set settings, stdout io.Writer, logger *slog.Logger) error {
	s, err := start(ctx, set, logger)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, `
  web client            %[1]s        sign in as alice, password alice
  Api1                  %[2]s/identity
  authorization server  %[3]s/.well-known/openid-configuration

  An access token is good for %[4]v, and Api1 accepts it %[5]v longer (its clock skew). Sign in, reload the page now and
  then, and watch this window: after %[6]v Api1 says 401 invalid_token, the web client refreshes, and you see nothing of it.
  Ctrl-C ends all three.

`, s.clientURL, s.apiURL, s.issuerURL, set.lifetime, set.skew, set.lifetime+set.skew)
	return s.wait()
}
