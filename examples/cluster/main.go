// Command cluster shows that a cluster of authorization servers loses nothing. It starts several of them as processes of
// their own over one PostgreSQL or Redis, behind one issuer URL, with a few APIs that accept their tokens, and lets hundreds of
// sessions refresh as fast as they can. Meanwhile it kills servers (SIGKILL), rotates signing keys every few seconds, restarts the
// database, or cuts its power. Then it counts: sessions that were lost, sessions that were forked, access tokens that were
// refused. It ends with exit code 0 only if there are none, except for sessions that were lost, or go on although they were ended,
// because the store was set up so that it may forget (-appendfsync everysec -power-cut).
//
//	go run .                                          three servers over PostgreSQL for a minute, one killed every 3 s
//	go run . -restart-store                           PostgreSQL crashes half-way, too
//	go run . -store redis -restart-store -power-cut   Redis, and the end of its append-only file is gone
//
// Without -postgres or -redis it starts a server of its own from what is installed, in a temporary directory.
//
// The parts run as the same program with one of the words node, api and database as their only argument. What they need to
// know, secrets among it, they read from stdin; when stdin ends, so do they: no process outlives the program, however it ends.
package main

import (
	"log/slog"
	"os"

	"github.com/bearergate/bearergate/examples/internal/program"
)

func main() {
	if len(os.Args) == 2 && parts[os.Args[1]] != nil {
		os.Exit(runPart(os.Args[1]))
	}
	logRedis(slog.New(slog.DiscardHandler)) // that the database is away is what this is about
	var o options
	program.Main("cluster", o.define, o.main)
}
