// Package program is what the example programs share. A mistake in a flag and a port in use end a program with one line that
// says so; it logs to stderr, and it ends within five seconds of SIGINT or SIGTERM.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// Exit codes of every example program.
const (
	ExitOK    = 0
	ExitError = 1 // could not start or failed while running: a port in use, a bad configuration
	ExitUsage = 2 // an unknown flag or a bad value
)

// Main runs a program and ends the process. define declares the flags; run gets a context that ends with SIGINT or
// SIGTERM, stdout, and a logger that writes slog text to stderr.
func Main(name string, define func(*flag.FlagSet), run func(context.Context, io.Writer, *slog.Logger) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, name, os.Args[1:], os.Stdout, os.Stderr, define, run)
	stop()
	os.Exit(code)
}

// Run is Main without the process: it returns the exit code.
func Run(ctx context.Context, name string, args []string, stdout, stderr io.Writer, define func(*flag.FlagSet), run func(context.Context, io.Writer, *slog.Logger) error) int {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the flag package would print the whole usage after every mistake; one line is clearer
	define(flags)
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	} else if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = parseError(flags, err)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "%s: flags and their defaults\n", name)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return ExitOK
	case err != nil:
		fmt.Fprintf(stderr, "%s: %s\n", name, oneLine(err))
		return ExitUsage
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	err = run(ctx, stdout, logger)
	var usage *UsageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %s\n", name, oneLine(usage))
		return ExitUsage
	case err != nil:
		fmt.Fprintf(stderr, "%s: %s\n", name, oneLine(err))
		return ExitError
	}
	return ExitOK
}

// oneLine is an error on one line, also when it names several problems.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Listen opens a TCP listener on addr, the value of the named flag.
func Listen(ctx context.Context, name, addr string) (net.Listener, error) {
	if _, port, err := net.SplitHostPort(addr); err != nil {
		return nil, &UsageError{Flag: name, Err: err}
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, &UsageError{Flag: name, Err: fmt.Errorf("%q is not a port from 0 to 65535", port)}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program", addr)
	}
	return listener, err
}

// Announce prints the line that other programs wait for.
func Announce(w io.Writer, listener net.Listener) {
	fmt.Fprintf(w, "listening on %s\n", URL(listener))
}

// URL is the address of a listener as the base of URLs.
func URL(listener net.Listener) string { return "http://" + listener.Addr().String() }
