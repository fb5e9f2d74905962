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

// RemoteConfig says where an issuer's keys are and how they are kept fresh. A zero value means the default.
type RemoteConfig struct {
	// Issuer is the issuer whose metadata document names the key set (OpenID Connect Discovery 1.0, section 4; RFC 8414,
	// section 3). The document must name the same issuer, byte for byte. One of Issuer and URL is required.
	Issuer string

	// URL is the key set's own address. With it nothing is discovered.
	URL string

	// AllowInsecureHTTP allows http on any host. Without it http is only for loopback hosts. Whoever can change
	// an answer on its way can then have any token accepted.
	AllowInsecureHTTP bool

	// Client lends its Transport. Its Timeout, Jar and CheckRedirect are not used: the bounds of a fetch are not
	// negotiable. nil means a transport of our own, which heeds the proxies of the environment.
	Client *http.Client

	// MinAge and MaxAge bound what the issuer's Cache-Control asks for, between one refresh and the next; default 1
	// minute and 1 hour. MaxAge is also taken when the issuer asks for nothing.
	MinAge, MaxAge time.Duration

	// MaxStale is how long the last good key set serves on while it cannot be fetched; default 24 hours.
	MaxStale time.Duration

	// Logger is told of changed and skipped keys and of failed fetches; nil means none.
	Logger *slog.Logger

	// OnFetch is called when a fetch starts and when it ends, by the goroutine that fetches, and when the set is given up
	// after MaxStale: it should be quick and safe for concurrent use, and it must not call Close.
	OnFetch func(FetchEvent)
}

// Remote is the key set of one issuer, fetched when it is first asked for and kept fresh from then on.
//
//   - A known key is found without a lock, without waiting and without an allocation.
//   - The set is fetched again in the background, at about 80 % of the time that the issuer's Cache-Control gives it. No
//     request waits for that. A failed fetch is repeated after 1 s, doubling to 1 minute, and the last good set serves on
//     for MaxStale.
//   - A token with an unknown kid causes one fetch, shared by all who wait for it, so that a rotation is followed by the very
//     request that brings the new kid. These fetches come out of a budget of three and then one per 10 s: a flood of made-up
//     kids costs the issuer no more, and a rotation in the middle of it is followed within 10 s. A kid that was looked for in
//     vain is not looked for again for 10 s, and for 20 s after that: so much later is a key found that was asked for just
//     before it was published.
//   - The metadata document is read again after a day, when the key set cannot be fetched, and when a fetch has not brought a
//     kid, the latter at most each 15 minutes and with the next fetch. It has 2 s: if that fails, the known address is used.
//   - Only a kid that is not in the set shows that there is something new. New material under an old kid, and a new key
//     without a kid, are followed by the refresh in the background and no sooner.
//   - A fetch belongs to no request: a caller that goes away does not stop it. A caller waits no longer than its own context
//     and never longer than 5 s.
//   - A fetch takes at most 5 s and 1 MiB for an answer, follows at most 3 redirects, never from https to http, and counts only
//     with status 200, JSON and at least one usable key. Anything else keeps the old set.
//   - Keys that the issuer no longer publishes are gone with the next fetch, and [Key.Current] says so.
//
// It is safe for concurrent use. Until it is first used it does nothing at all; Close ends what it does.
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
	misses    misses
	wanted    wanted
}

// call is one fetch that any number of requests wait for.
type call struct {
	cause   string
	charged bool // it was paid from the budget for unknown kids
	done    chan struct{}
	err     error // set before done is closed
}

// NewRemote checks the configuration and names all of its problems at once. It does no I/O and starts no goroutine.
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
			// The issuer is then only a name, for logs.
		case err != nil:
			problem("Issuer %q: %w", weburl.Redact(cfg.Issuer), err)
		case weburl.HasQuery(u):
			problem("Issuer %q: an issuer has no query (RFC 8414, section 2)", weburl.Redact(cfg.Issuer))
		}
	}
	if cfg.URL != "" {
		if _, err := weburl.Parse(cfg.URL, cfg.AllowInsecureHTTP); err != nil {
			problem("URL %q: %w", weburl.Redact(cfg.URL), err)
		}
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{{"MinAge", &cfg.MinAge, time.Minute}, {"MaxAge", &cfg.MaxAge, time.Hour}, {"MaxStale", &cfg.MaxStale, 24 * time.Hour}} {
		switch {
		case *d.value < 0:
			problem("%s is negative: %v", d.name, *d.value)
		case *d.value == 0:
			*d.value = d.zero
		case *d.value < time.Millisecond:
			problem("%s is less than a millisecond: %v", d.name, *d.value)
		}
	}
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

// Lookup implements [KeySource]. A key that is not there may cause one fetch, as described at [Remote]. It fails with
// ErrKeyNotFound when the issuer's set is at hand and has no such key, with ErrUnavailable when there is no set, or when the
// issuer cannot be asked about an unknown kid, and with the context's cause when ctx ends first.
func (r *Remote) Lookup(ctx context.Context, kid, alg string) ([]*Key, error) {
	if s := r.snapshot.Load(); s != nil {
		if keys := s.find(kid, alg); keys != nil {
			return keys, nil
		}
	}
	if err := checkAlgorithm(alg); err != nil {
		return nil, err
	}
	return r.miss(ctx, kid, alg)
}

// Ready returns nil as soon as there are keys. If there are none it waits for one fetch, within ctx, and then says why
// there are still none; it does not wait for the repetitions. That makes it a readiness probe, and a way to fail fast at
// start. Its errors are those of Lookup.
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

// Close stops the fetch under way and all that is planned, and waits until nothing is left. From then on Lookup fails
// with ErrUnavailable, and the keys are no longer current. It returns nil, also when called again.
func (r *Remote) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.cancel()
		r.stop(r.timer)
		r.stop(r.stale)
		r.forget()
	}
	r.mu.Unlock()
	r.tasks.Wait()
	r.fetcher.client.Close()
	return nil
}
