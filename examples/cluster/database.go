package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// databaseConfig describes a database server that this program starts.
type databaseConfig struct {
	Kind, Dir   string
	Port        int
	AppendFsync string
}

// url returns the URL for nodes.
func (c databaseConfig) url() string {
	if c.Kind == kindPostgres {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.Port)
	}
	return fmt.Sprintf("redis://127.0.0.1:%d/0", c.Port)
}

// freePort returns a port below those for outgoing connections. Otherwise a node that connects while the database is
// down might get the very port that it tries to reach.
func freePort() (int, error) {
	for range 100 {
		port := 15_000 + rand.IntN(15_000) //nolint:gosec // not a secret
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port for a database")
}

// findTool finds a program of the database, in PATH or where Debian installs PostgreSQL. There it takes the newest
// release, so that initdb and postgres fit each other.
func findTool(name string) (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	slices.Sort(found)
	if len(found) > 0 {
		return found[len(found)-1], nil
	}
	return exec.LookPath(name)
}

var errNoDatabase = errors.New("no database server is installed; install one, or name one with -postgres or -redis")

// installed returns an error if no server of the kind can be started.
func installed(kind string) error {
	tools := []string{"redis-server"}
	if kind == kindPostgres {
		tools = []string{"initdb", "postgres"}
	}
	for _, tool := range tools {
		if _, err := findTool(tool); err != nil {
			return fmt.Errorf("%s: %w", tool, errNoDatabase)
		}
	}
	return nil
}

// crashCommand makes the database process crash its server.
const crashCommand = "crash"

// runDatabase runs a database server. When stdin ends, it stops the server and removes its data, so that nothing
// survives the program.
func runDatabase(ctx context.Context, config json.RawMessage, commands <-chan string, logger *slog.Logger) error {
	var c databaseConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	cmd, err := c.command(ctx)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	fmt.Println(announce + c.url())
	select {
	case err := <-exited:
		return fmt.Errorf("the database exited by itself: %w", errors.Join(err, io.ErrUnexpectedEOF))
	case <-commands:
		if c.Kind == kindPostgres {
			_ = cmd.Process.Signal(crashSignal)
		} else {
			_ = cmd.Process.Kill()
		}
		<-exited
		return nil
	case <-ctx.Done():
		_ = cmd.Process.Signal(syscall.SIGINT) // both databases shut down cleanly, without waiting for clients
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			logger.Warn("the database does not stop; killing it")
			_ = cmd.Process.Kill()
			<-exited
		}
		return os.RemoveAll(c.Dir)
	}
}

// command returns the command that runs the server in the foreground. If needed, it initializes a PostgreSQL data
// directory.
func (c databaseConfig) command(ctx context.Context) (*exec.Cmd, error) {
	if c.Kind == kindRedis {
		server, err := findTool("redis-server")
		if err != nil {
			return nil, err
		}
		// Without rewrites there is only one append-only file, which cutPower truncates.
		//nolint:noctx // stopped cleanly
		cmd := exec.Command(server, "--port", fmt.Sprint(c.Port), "--bind", "127.0.0.1", "--dir", c.Dir, "--save", "",
			"--appendonly", "yes", "--appendfsync", c.AppendFsync,
			"--auto-aof-rewrite-percentage", "0", "--aof-load-truncated", "yes")
		cmd.SysProcAttr = ownGroup()
		return cmd, nil
	}
	attr, err := databaseUser(c.Dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(c.Dir, "data")
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) {
		initdb, err := findTool("initdb")
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
		cmd.Dir, cmd.SysProcAttr = c.Dir, attr
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	server, err := findTool("postgres")
	if err != nil {
		return nil, err
	}
	// fsync and synchronous_commit keep their default: on.
	//nolint:noctx // stopped cleanly
	cmd := exec.Command(server, "-D", data, "-p", fmt.Sprint(c.Port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=")
	cmd.Dir, cmd.SysProcAttr = c.Dir, attr
	return cmd, nil
}
