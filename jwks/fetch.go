package jwks

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/fetch"
	"github.com/bearergate/bearergate/internal/weburl"
)

const (
	maxBody      = 1 << 20
	maxRedirects = 3
)

// fetcher does the HTTP work of a Remote, one fetch at a time.
type fetcher struct {
	cfg    RemoteConfig
	client *fetch.Client

	keysURL      string // empty until it is known
	discoveredAt time.Time
	rediscover   bool // the key set could not be fetched, or lacks a kid: perhaps it has moved
	form         int  // index of the discovery address that answered last time

	etag, lastModified string
}

// fetched is the result of a fetch.
type fetched struct {
	url         string
	keys        []*Key
	skipped     []Skipped
	notModified bool
	maxAge      time.Duration
}

func newFetcher(cfg RemoteConfig) *fetcher {
	return &fetcher{cfg: cfg, keysURL: cfg.URL, client: fetch.NewClient(fetch.Config{
		Client:            cfg.Client,
		Timeout:           fetchTimeout,
		MaxBody:           maxBody,
		MaxRedirects:      maxRedirects,
		AllowInsecureHTTP: cfg.AllowInsecureHTTP,
		MaxIdleConns:      2,
		IdleTimeout:       10 * time.Second,
	})}
}

// fetch gets the key set, after discovering where it is if that is not known. conditional allows the answer "not
// modified". fetched.url is set also on failure.
func (f *fetcher) fetch(ctx context.Context, conditional bool) (fetched, error) {
	began := time.Now()
	if err := f.discover(ctx); err != nil {
		return fetched{url: f.keysURL}, err
	}
	res, err := f.fetchKeys(ctx, conditional)
	res.url = f.keysURL
	// Not if it was discovered just now: with a slow issuer, the key set would lack the time that discovery takes.
	f.rediscover = err != nil && f.discoveredAt.Before(began)
	if err != nil {
		return res, fmt.Errorf("key set %s: %w", weburl.Redact(f.keysURL), err)
	}
	return res, nil
}

func (f *fetcher) fetchKeys(ctx context.Context, conditional bool) (fetched, error) {
	header := http.Header{"Accept": {"application/jwk-set+json, application/json"}}
	if conditional {
		if f.etag != "" {
			header.Set("If-None-Match", f.etag)
		}
		if f.lastModified != "" {
			header.Set("If-Modified-Since", f.lastModified)
		}
	}
	res, err := f.client.Get(ctx, f.keysURL, header)
	if err != nil {
		return fetched{}, err
	}
	out := fetched{maxAge: maxAge(res.Header, f.cfg.MaxAge)}
	if res.Status == http.StatusNotModified && len(header) > 1 {
		out.notModified = true
		return out, nil
	}
	if err := res.CheckJSON(); err != nil {
		return fetched{}, err
	}
	if out.keys, out.skipped, err = parseDocument(res.Body); err != nil {
		return fetched{skipped: out.skipped}, withReasons(err, out.skipped)
	}
	f.etag, f.lastModified = cacheValidator(res.Header, "ETag"), cacheValidator(res.Header, "Last-Modified")
	return out, nil
}

// maxAge returns how long an answer stays fresh (RFC 9111, Section 4.2.1), or otherwise if its header does not say.
func maxAge(h http.Header, otherwise time.Duration) time.Duration {
	age, given := time.Duration(0), false
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			age, given = seconds(strings.Trim(value, `"`)), true
		}
	}
	if given {
		return max(age-seconds(h.Get("Age")), 0)
	}
	if expires, err := http.ParseTime(h.Get("Expires")); err == nil {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			return max(expires.Sub(date), 0)
		}
	}
	return otherwise
}

func seconds(s string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 10*365*24*3600)) * time.Second
}

// cacheValidator returns a field to send back with the next request, unless it is absurdly long.
func cacheValidator(h http.Header, name string) string {
	if v := h.Get(name); len(v) <= 1024 {
		return v
	}
	return ""
}
