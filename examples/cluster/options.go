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
	Nodes, APIs, Clients   int
	For, Kill, Pace        time.Duration
	RestartStore, PowerCut bool
	Outage                 time.Duration
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
	// redisMaxRollback is far more than a client refreshes in the second that everysec may lose.
	redisMaxRollback = 1000
)

func (o *options) define(flags *flag.FlagSet) {
	o.set = flags
	flags.StringVar(&o.Store, "store", kindPostgres, "the `store` of grants and signing keys: postgres or redis")
	flags.StringVar(&o.Postgres, "postgres", "", "`URL` of a PostgreSQL server; empty: start one")
	flags.StringVar(&o.Redis, "redis", "", "`URL` of a Redis server (redis://…); empty: start one")
	flags.IntVar(&o.Nodes, "nodes", 3, "number of authorization servers")
	flags.IntVar(&o.APIs, "apis", 2, "number of APIs")
	flags.IntVar(&o.Clients, "clients", 200, "number of clients, each with one grant that it refreshes continuously")
	flags.DurationVar(&o.For, "for", time.Minute, "how long the clients run")
	flags.DurationVar(&o.Pace, "pace", 0, "pause of a client between two refreshes")
	flags.DurationVar(&o.Kill, "kill", 3*time.Second,
		"interval at which an authorization server is killed (SIGKILL) and restarted; 0: never")
	flags.BoolVar(&o.RestartStore, "restart-store", false, "crash PostgreSQL or Redis once, half-way, and restart it")
	flags.DurationVar(&o.Outage, "outage", 0, "with -restart-store: how long the store stays down, as during a failover")
	flags.BoolVar(&o.PowerCut, "power-cut", false, "with -restart-store: Redis also loses what a power cut may destroy")
	flags.StringVar(&o.AppendFsync, "appendfsync", always,
		"appendfsync `policy` of the Redis that this program starts: always or everysec")
	flags.IntVar(&o.MaxRollback, "max-rollback", -1,
		"how many generations the store may be behind a client (Config.MaxRollback); -1: 1000 for Redis, 0 for PostgreSQL")
	flags.DurationVar(&o.AccessLifetime, "access-token-lifetime", 30*time.Second, "lifetime of access tokens")
	flags.DurationVar(&o.Grace, "grace", 10*time.Second,
		"how long a replaced refresh token is still answered with its successor; should exceed an outage")
	flags.DurationVar(&o.KeyRotation, "key-rotation", 10*time.Second,
		"how long a signing key is used; in the long run APIs follow one new key every 5s")
	flags.IntVar(&o.Double, "double", 5, "percentage of refreshes that are sent twice at once, as by two browser tabs")
	flags.IntVar(&o.Revoke, "revoke", 5,
		"how many grants are revoked during the run, to measure when the APIs reject their access tokens")
	flags.BoolVar(&o.KeepLogs, "keep-logs", false, "keep the logs of the processes even after success")
}

// check rejects unusable values, and fills in defaults that depend on other flags.
func (o *options) check() error {
	bad := func(name, format string, args ...any) error {
		return &program.UsageError{Flag: name, Err: fmt.Errorf(format, args...)}
	}
	if !o.given("revoke") {
		o.Revoke = min(o.Revoke, o.Clients-1)
	}
	for _, number := range []struct {
		flag            string
		value, from, to int
	}{
		{"nodes", o.Nodes, 1, 50}, {"apis", o.APIs, 1, 50}, {"clients", o.Clients, 1, 100_000},
		{"double", o.Double, 0, 100}, {"revoke", o.Revoke, 0, o.Clients - 1}, {"max-rollback", o.MaxRollback, -1, 1 << 30},
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
		{"outage", o.Outage, 0, o.For / 2}, {"key-rotation", o.KeyRotation, time.Second, 24 * time.Hour},
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
		return bad("redis", "-store is postgres")
	case o.Store == kindRedis && o.Postgres != "":
		return bad("postgres", "-store is redis")
	case o.RestartStore && o.Postgres+o.Redis != "":
		return bad("restart-store", "cannot restart a server that this program did not start")
	case o.set != nil && o.given("appendfsync") && (o.Store != kindRedis || o.Redis != ""):
		return bad("appendfsync", "cannot configure a Redis that this program does not start")
	case o.Outage > 0 && !o.RestartStore:
		return bad("outage", "needs -restart-store")
	case o.PowerCut && o.Store != kindRedis:
		return bad("power-cut", "only for -store redis: PostgreSQL syncs what it acknowledges")
	case o.PowerCut && !o.RestartStore:
		return bad("power-cut", "needs -restart-store")
	}
	if url := o.Postgres + o.Redis; url != "" {
		if err := checkURL(o.Store, url); err != nil {
			return &program.UsageError{Flag: o.Store, Err: err}
		}
	}
	if o.MaxRollback < 0 {
		o.MaxRollback = 0
		if o.Store == kindRedis {
			o.MaxRollback = redisMaxRollback
		}
	}
	return nil
}

// given reports whether a flag was set. Without flags, as in tests, every one counts as set.
func (o *options) given(name string) bool {
	found := o.set == nil
	if o.set != nil {
		o.set.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	}
	return found
}

// mayLoseWrites reports whether a crash may destroy writes that the store has acknowledged.
func (o *options) mayLoseWrites() bool {
	return o.Store == kindRedis && o.AppendFsync == everysec && o.PowerCut
}

// Errors of a complete and of an interrupted run.
var (
	errFailed      = errors.New("the cluster has failed: see the table")
	errInterrupted = errors.New("interrupted: there is no result")
)
