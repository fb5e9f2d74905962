package jwks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

// RemoteConfig says where an issuer's keys are and how they are kept fresh. The zero value of a field means its
// default.
type RemoteConfig struct {
	// Issuer is the issuer whose metadata document names the key set (OpenID Connect Discovery 1.0, Section 4; RFC
	// 8414, Section 3). The document must name the same issuer, byte for byte. One of Issuer and URL is required.
	Issuer string

	// URL is the address of the key set itself. With it, nothing is discovered, and Issuer is only a name for logs.
	URL string

	// AllowInsecureHTTP allows http on hosts other than loopback. Anybody on the network path can then have any token
	// accepted, by replacing the keys.
	AllowInsecureHTTP bool

	// Client lends its Transport. Its Timeout, Jar and CheckRedirect are not used: they would loosen the bounds of a
	// fetch. Nil means a transport of our own, which uses the proxies of the environment.
	Client *http.Client

	// MinAge and MaxAge bound how long a fetched set stays fresh, whatever the issuer's Cache-Control says. The
	// defaults are 1 minute and 1 hour. Without a Cache-Control or Expires header, MaxAge holds.
	MinAge, MaxAge time.Duration

	// MaxStale is how long the last good key set stays in use while it can't be fetched. The default is 24 hours.
	MaxStale time.Duration

	// Logger gets a record for changed and skipped keys and for failed fetches. Nil means no logging.
	Logger *slog.Logger

	// OnFetch, if not nil, is called when a fetch starts and when it ends, by the goroutine that fetches, and when the
	// set is given up after MaxStale. It should be quick, must be safe for concurrent use, and must not call Close.
	OnFetch func(FetchEvent)
}

// Remote is the key set of one issuer. It is fetched when it is first needed and kept fresh from then on.
//
//   - A known key is found without a lock, without waiting and without an allocation.
//   - The set is refreshed in the background, after about 80 % of the time that Cache-Control allows. No request waits
//     for that. A failed fetch is retried after 1 s, doubling to 1 minute, and the last good set stays in use for
//     MaxStale.
//   - A token with an unknown kid causes one fetch, shared by all who wait for it. So a rotation is followed by the
//     very request that brings the new kid.
//   - These fetches come out of a budget: three, then one per 10 s. A flood of made-up kids costs the issuer no more,
//     and a rotation in the middle of it is followed within 10 s.
//   - A kid that was not found causes no further fetch for 10 s, and for 20 s each time after that. So a key requested
//     just before publication may be found that much later.
//   - The metadata document is read again after a day, when the key set can't be fetched, and when a fetch has not
//     brought a kid. The latter happens with the next fetch and at most every 15 minutes. Reading it may take 2 s. If
//     that fails, the known address stays in use.
//   - Only a kid that is not in the set shows that there is something new. New key material under an old kid, and a new
//     key without a kid, are found by the refresh in the background and no sooner.
//   - A fetch belongs to no request: a caller that goes away does not stop it. A caller waits no longer than its own
//     context allows, and never longer than 5 s.
//   - A fetch takes at most 5 s, reads at most 1 MiB of an answer, and follows at most 3 redirects, never from https to
//     http. It succeeds only with status 200, JSON and at least one usable key. Otherwise the old set stays.
//   - Keys that the issuer no longer publishes are gone with the next fetch, and [Key.Current] of them is false.
//
// It is safe for concurrent use. It does nothing until it is first used. Close ends what it does.
type Remote struct {
	cfg      RemoteConfig
	fetcher  *fetcher
	snapshot atomic.Pointer[snapshot]

	ctx    context.Context // ends with Close; fetches run under it
	cancel context.CancelFunc
	tasks  sync.WaitGroup // fetches under way and timers that are set

	mu        sync.Mutex
	closed    bool
	call      *call // the fetch under way, nil if there is none
	timer     *time.Timer
	stale     *time.Timer
	fetchedAt time.Time // when the set was last known to be good
	refreshAt time.Time
	retryAt   time.Time
	failures  int
	lastErr   error
	url       string
	skipped   []Skipped
	budget    budget
	unknown   unknownKIDs
	wanted    wantedKIDs
}

// NewRemote returns a Remote, or an error that names every problem of cfg. It does no I/O and starts no goroutine.
func NewRemote(cfg RemoteConfig) (*Remote, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Remote{cfg: cfg, fetcher: newFetcher(cfg), ctx: ctx, cancel: cancel, url: cfg.URL}, nil
}

func (cfg RemoteConfig) withDefaults() (RemoteConfig, error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf("jwks: "+format, args...)) }
	if cfg.Issuer == "" && cfg.URL == "" {
		problem("one of Issuer and URL is required")
	}
	if cfg.Issuer != "" {
		u, err := weburl.Parse(cfg.Issuer, cfg.AllowInsecureHTTP)
		switch {
		case cfg.URL != "":
			// The issuer is only a name for logs and need not be a URL.
		case err != nil:
			problem("Issuer %q: %w", weburl.Redact(cfg.Issuer), err)
		case weburl.HasQuery(u):
			problem("Issuer %q: the URL has a query, but an issuer has none (RFC 8414, Section 2)",
				weburl.Redact(cfg.Issuer))
		}
	}
	if cfg.URL != "" {
		if _, err := weburl.Parse(cfg.URL, cfg.AllowInsecureHTTP); err != nil {
			problem("URL %q: %w", weburl.Redact(cfg.URL), err)
		}
	}
	setDefaults(problem, []duration{
		{"MinAge", &cfg.MinAge, time.Minute},
		{"MaxAge", &cfg.MaxAge, time.Hour},
		{"MaxStale", &cfg.MaxStale, 24 * time.Hour},
	})
	if cfg.MinAge > cfg.MaxAge {
		problem("MinAge %v is more than MaxAge %v", cfg.MinAge, cfg.MaxAge)
	}
	if cfg.MaxAge > cfg.MaxStale {
		problem("MaxAge %v is more than MaxStale %v", cfg.MaxAge, cfg.MaxStale)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.OnFetch == nil {
		cfg.OnFetch = func(FetchEvent) {}
	}
	return cfg, errors.Join(problems...)
}

// duration is a field of a configuration and its default.
type duration struct {
	name     string
	value    *time.Duration
	standard time.Duration
}

// setDefaults replaces zeros and reports what is no sensible duration. A number without a unit is in nanoseconds.
func setDefaults(problem func(format string, args ...any), fields []duration) {
	for _, d := range fields {
		switch {
		case *d.value < 0:
			problem("%s is negative: %v", d.name, *d.value)
		case *d.value == 0:
			*d.value = d.standard
		case *d.value < time.Millisecond:
			problem("%s is less than a millisecond: %v (a number without a unit is in nanoseconds)", d.name, *d.value)
		}
	}
}

// Lookup implements [KeySource]. A key that is not in the set may cause one fetch, as described at [Remote].
//
// Errors: ErrKeyNotFound if the set is at hand and has no such key, ErrUnavailable if there is no set or the issuer
// can't be reached about an unknown kid, and the context's cause if ctx ends first.
func (r *Remote) Lookup(ctx context.Context, kid, alg string) ([]*Key, error) {
	if s := r.snapshot.Load(); s != nil {
		if keys := s.find(kid, alg); keys != nil {
			return keys, nil
		}
	}
	if err := checkAlgorithm(alg); err != nil {
		return nil, err
	}
	return r.lookUpUnknown(ctx, kid, alg)
}

// Ready returns nil if there are keys. If there are none, it waits for one fetch, within ctx, and returns why there are
// still none. It does not wait for retries, so it serves as a readiness probe and as a way to fail fast at start. Its
// errors are those of Lookup.
func (r *Remote) Ready(ctx context.Context) error {
	if r.snapshot.Load() != nil {
		return nil
	}
	c, err := r.join()
	if c == nil {
		return err
	}
	return r.wait(ctx, c, time.After(fetchTimeout))
}

// Close stops the fetch under way and all that is scheduled, and waits until nothing is left. From then on, Lookup
// fails with ErrUnavailable, and the keys are no longer current. Close always returns nil and may be called again.
func (r *Remote) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.cancel()
		r.stop(r.timer)
		r.stop(r.stale)
		r.giveUp()
	}
	r.mu.Unlock()
	r.tasks.Wait()
	r.fetcher.client.Close()
	return nil
}
