// Command cluster shows that a cluster of authorization servers loses nothing.
//
// It starts several servers as processes over one PostgreSQL or Redis, behind one issuer URL, and a few APIs that
// accept their tokens. Hundreds of clients refresh as fast as they can. Meanwhile the program kills servers (SIGKILL),
// rotates signing keys every few seconds, and crashes the database or cuts its power. Then it counts grants that were
// lost or forked, and access tokens that were rejected. It exits with code 0 only if there are none. Where the store is
// configured so that it may lose writes (-appendfsync everysec -power-cut), grants and revocations that were lost with
// them are allowed.
//
//	go run .                                          three servers over PostgreSQL for a minute, one killed every 3 s
//	go run . -restart-store                           PostgreSQL crashes half-way, too
//	go run . -store redis -restart-store -power-cut   Redis loses the end of its append-only file
//
// Without -postgres or -redis it starts an installed database server in a temporary directory.
//
// The processes are this same program, with node, api or database as its only argument. They read their configuration
// and secrets from stdin, and exit when stdin ends. So no process survives the program, however it ends.
package main

import (
	"log/slog"
	"os"

	"github.com/bearergate/bearergate/examples/internal/program"
)

func main() {
	if len(os.Args) == 2 && processes[os.Args[1]] != nil {
		os.Exit(runProcess(os.Args[1]))
	}
	logRedis(slog.New(slog.DiscardHandler)) // outages of the database are expected here
	var o options
	program.Main("cluster", o.define, o.main)
}
