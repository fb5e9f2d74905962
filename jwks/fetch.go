package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody      = 1 << 20
	maxHeader    = 64 << 10
	maxRedirects = 3
)

// fetcher does the HTTP work of a Remote, one fetch at a time.
type fetcher struct {
	cfg       RemoteConfig
	client    *http.Client
	transport *http.Transport // ours to close; nil if the caller lent one

	keysURL      string
	discoveredAt time.Time
	rediscover   bool // the key set could not be fetched, or lacks a kid: perhaps it has moved
	form         int  // which of the discovery addresses answered last time

	etag, lastModified string
}

// fetched is what a fetch brought.
type fetched struct {
	url         string
	entries     []entry
	skipped     []Skipped
	notModified bool
	maxAge      time.Duration
}

func newFetcher(cfg RemoteConfig) *fetcher {
	f := &fetcher{cfg: cfg, keysURL: cfg.URL}
	var transport http.RoundTripper
	if cfg.Client != nil {
		transport = cfg.Client.Transport
		if transport == nil {
			transport = http.DefaultTransport
		}
	} else {
		f.transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: fetchTimeout}).DialContext,
			TLSHandshakeTimeout:    fetchTimeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           2,
			IdleConnTimeout:        10 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
		}
		transport = f.transport
	}
	f.client = &http.Client{Transport: transport, CheckRedirect: f.checkRedirect}
	return f
}

func (f *fetcher) close() {
	if f.transport != nil {
		f.transport.CloseIdleConnections()
	}
}

// fetch brings the key set, and first finds out where it is if that is not known. conditional allows the answer "not
// modified". fetched.url is set also when it fails.
func (f *fetcher) fetch(ctx context.Context, conditional bool) (fetched, error) {
	began := time.Now()
	if err := f.discover(ctx); err != nil {
		return fetched{url: f.keysURL}, err
	}
	res, err := f.fetchKeys(ctx, conditional)
	res.url = f.keysURL
	// Not if it was discovered just now: with a slow issuer the time that it took is what is missing for the key set.
	f.rediscover = err != nil && f.discoveredAt.Before(began)
	if err != nil {
		return res, fmt.Errorf("key set %s: %w", shown(f.keysURL), err)
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
	asked := len(header) > 1
	res, err := f.get(ctx, f.keysURL, header)
	if err != nil {
		return fetched{}, err
	}
	out := fetched{maxAge: maxAge(res.header, f.cfg.MaxAge)}
	if res.status == http.StatusNotModified && asked {
		out.notModified = true
		return out, nil
	}
	if err := res.checkJSON(); err != nil {
		return fetched{}, err
	}
	if out.entries, out.skipped, err = parseDocument(res.body); err != nil {
		return fetched{skipped: out.skipped}, withReasons(err, out.skipped)
	}
	f.etag, f.lastModified = validator(res.header, "ETag"), validator(res.header, "Last-Modified")
	return out, nil
}

// response is an answer, read and bounded.
type response struct {
	status int
	header http.Header
	body   []byte
}

func (f *fetcher) get(ctx context.Context, address string, header http.Header) (*response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	header.Set("User-Agent", "bearergate")
	req.Header = header
	res, err := f.client.Do(req)
	if err != nil {
		return nil, cause(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.ContentLength > maxBody {
		return nil, fmt.Errorf("the answer has %d bytes, more than %d", res.ContentLength, maxBody)
	}
	// The body is bounded as it arrives, after decompression: what it says of its length need not be true.
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, cause(ctx, err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	return &response{status: res.StatusCode, header: res.Header, body: body}, nil
}

// cause takes the address off an error of http.Client, since it may have a query, and names a timeout as ours. It cuts the
// chain to the errors of package context: they would make a slow issuer look like a client that went away.
func cause(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", fetchTimeout)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = errors.New(err.Error())
	}
	return err
}

// checkJSON wants 200 and a media type that is not something else than JSON. Key sets on file servers often come
// as octet-stream or plain text; an HTML page is a portal or an error page, whatever its status.
func (r *response) checkJSON() error {
	if r.status != http.StatusOK {
		return fmt.Errorf("status %d", r.status)
	}
	kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	switch {
	case r.header.Get("Content-Type") == "":
	case err != nil:
		return errors.New("the Content-Type cannot be read")
	case kind == "application/json", kind == "text/json", strings.HasSuffix(kind, "+json"):
	case kind == "text/plain", kind == "application/octet-stream", kind == "binary/octet-stream":
	default:
		return fmt.Errorf("the Content-Type is %q, not JSON", clip(kind))
	}
	return nil
}

// checkRedirect bounds redirects and never lets one lead from https to http, or out of the machine by http.
func (f *fetcher) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if err := checkStep(via[len(via)-1].URL, req.URL, f.cfg.AllowInsecureHTTP); err != nil {
		return fmt.Errorf("redirect to %s: %w", shown(req.URL.String()), err)
	}
	return nil
}

// maxAge is how long an answer says it is good for (RFC 9111, section 5.2), otherwise if it says nothing.
func maxAge(h http.Header, otherwise time.Duration) time.Duration {
	age, said := time.Duration(0), false
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			age, said = seconds(strings.Trim(value, `"`)), true
		}
	}
	if said {
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

// validator is a header to send back with the next request, unless it is absurdly long.
func validator(h http.Header, name string) string {
	if v := h.Get(name); len(v) <= 1024 {
		return v
	}
	return ""
}
