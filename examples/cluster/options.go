package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/bearergate/bearergate/examples/internal/program"
)

// options are the flags.
type options struct {
	Store                  string
	Postgres, Redis        string
	Nodes, APIs, Sessions  int
	For, Kill, Pace        time.Duration
	RestartStore, PowerCut bool
	Away                   time.Duration
	AppendFsync            string
	MaxRollback            int
	AccessLifetime, Grace  time.Duration
	KeyRotation            time.Duration
	Double, Revoke         int
	KeepLogs               bool
	set                    *flag.FlagSet
}

const (
	kindPostgres = "postgres"
	kindRedis    = "redis"
	always       = "always"
	everysec     = "everysec"
	// rollbackRedis is far more than a session refreshes in the second that everysec may lose.
	rollbackRedis = 1000
)

func (o *options) define(flags *flag.FlagSet) {
	o.set = flags
	flags.StringVar(&o.Store, "store", kindPostgres, "where sessions and signing keys are: `postgres` or redis")
	flags.StringVar(&o.Postgres, "postgres", "", "`URL` of a PostgreSQL server; empty: one is started for the run")
	flags.StringVar(&o.Redis, "redis", "", "`URL` of a Redis server (redis://…); empty: one is started for the run")
	flags.IntVar(&o.Nodes, "nodes", 3, "how many authorization servers")
	flags.IntVar(&o.APIs, "apis", 2, "how many APIs")
	flags.IntVar(&o.Sessions, "sessions", 200, "how many sessions, each with a client that refreshes all the time")
	flags.DurationVar(&o.For, "for", time.Minute, "how long the clients go on")
	flags.DurationVar(&o.Pace, "pace", 0, "what a client waits between two refreshes; 0: nothing")
	flags.DurationVar(&o.Kill, "kill", 3*time.Second, "how often an authorization server is killed (SIGKILL) and started again; 0: never")
	flags.BoolVar(&o.RestartStore, "restart-store", false, "crash PostgreSQL or Redis once at half time, and start it again")
	flags.DurationVar(&o.Away, "away", 0, "how long the store stays away when -restart-store crashes it, as until a failover is done")
	flags.BoolVar(&o.PowerCut, "power-cut", false, "Redis loses what a power cut may take when -restart-store crashes it")
	flags.StringVar(&o.AppendFsync, "appendfsync", always, "appendfsync of the Redis that is started for the run: `always` or everysec")
	flags.IntVar(&o.MaxRollback, "max-rollback", -1, "how many generations a store may fall behind its clients (Config.MaxRollback); -1: 1000 over Redis, 0 over PostgreSQL")
	flags.DurationVar(&o.AccessLifetime, "access-token-lifetime", 30*time.Second, "how long an access token is good")
	flags.DurationVar(&o.Grace, "grace", 10*time.Second, "how long a replaced refresh token still gets its successor; an outage should be shorter")
	flags.DurationVar(&o.KeyRotation, "key-rotation", 10*time.Second, "how long a signing key is in use; APIs follow a new one every 5s and no faster for long")
	flags.IntVar(&o.Double, "double", 5, "how many of a hundred refreshes are sent twice at the same time, as two tabs do")
	flags.IntVar(&o.Revoke, "revoke", 5, "how many of the sessions are ended during the run, to see when the APIs refuse their access tokens")
	flags.BoolVar(&o.KeepLogs, "keep-logs", false, "keep the logs of the parts even when all went well")
}

// check refuses values that cannot be used, one line each, and fills in what depends on others.
func (o *options) check() error {
	bad := func(name, format string, args ...any) error {
		return &program.UsageError{Flag: name, Err: fmt.Errorf(format, args...)}
	}
	if !o.given("revoke") {
		o.Revoke = min(o.Revoke, o.Sessions-1)
	}
	for _, number := range []struct {
		flag            string
		value, from, to int
	}{
		{"nodes", o.Nodes, 1, 50}, {"apis", o.APIs, 1, 50}, {"sessions", o.Sessions, 1, 100_000}, {"double", o.Double, 0, 100}, {"revoke", o.Revoke, 0, o.Sessions - 1},
		{"max-rollback", o.MaxRollback, -1, 1 << 30},
	} {
		if number.value < number.from || number.value > number.to {
			return bad(number.flag, "%d is not between %d and %d", number.value, number.from, number.to)
		}
	}
	for _, d := range []struct {
		flag            string
		value, from, to time.Duration
	}{
		{"for", o.For, time.Second, 24 * time.Hour}, {"pace", o.Pace, 0, time.Hour}, {"kill", o.Kill, 0, time.Hour},
		{"access-token-lifetime", o.AccessLifetime, 5 * time.Second, time.Hour}, {"grace", o.Grace, 0, time.Minute},
		{"away", o.Away, 0, o.For / 2}, {"key-rotation", o.KeyRotation, time.Second, 24 * time.Hour},
	} {
		if d.value < d.from || d.value > d.to {
			return bad(d.flag, "%v is not between %v and %v", d.value, d.from, d.to)
		}
	}
	switch {
	case o.Store != kindPostgres && o.Store != kindRedis:
		return bad("store", "%q is neither postgres nor redis", o.Store)
	case o.AppendFsync != always && o.AppendFsync != everysec:
		return bad("appendfsync", "%q is neither always nor everysec", o.AppendFsync)
	case o.Store == kindPostgres && o.Redis != "":
		return bad("redis", "the store is postgres")
	case o.Store == kindRedis && o.Postgres != "":
		return bad("postgres", "the store is redis")
	case o.RestartStore && o.Postgres+o.Redis != "":
		return bad("restart-store", "only a server that was started for the run is restarted")
	case o.set != nil && o.given("appendfsync") && (o.Store != kindRedis || o.Redis != ""):
		return bad("appendfsync", "only a Redis that is started for the run is set up")
	case o.Away > 0 && !o.RestartStore:
		return bad("away", "it needs -restart-store")
	case o.PowerCut && o.Store != kindRedis:
		return bad("power-cut", "only Redis' append-only file can be cut; PostgreSQL crashes all the same")
	case o.PowerCut && !o.RestartStore:
		return bad("power-cut", "it needs -restart-store")
	}
	if url := o.Postgres + o.Redis; url != "" {
		if err := checkURL(o.Store, url); err != nil {
			return &program.UsageError{Flag: o.Store, Err: err}
		}
	}
	if o.MaxRollback < 0 {
		o.MaxRollback = 0
		if o.Store == kindRedis {
			o.MaxRollback = rollbackRedis
		}
	}
	return nil
}

// given tells whether a flag was set; without flags, as in tests, all are.
func (o *options) given(name string) bool {
	found := o.set == nil
	if o.set != nil {
		o.set.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	}
	return found
}

// mayLose tells whether the store is set up so that a crash may take away what it has acknowledged.
func (o *options) mayLose() bool {
	return o.Store == kindRedis && o.AppendFsync == everysec && o.PowerCut
}

// Why the program ends with exit code 1 although everything ran.
var (
	errVerdict     = errors.New("the cluster has failed: see the table")
	errInterrupted = errors.New("interrupted: there is no verdict")
)
