// Package fetch gets documents over HTTP from servers that may be slow, broken or hostile.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bearergate/bearergate/internal/weburl"
)

const (
	maxHeader = 64 << 10 // the largest header that a transport of ours reads
	maxError  = 500      // the longest error
)

// Config says what a [Client] may do.
type Config struct {
	// Client lends its Transport and nothing else: its Timeout, Jar and CheckRedirect would loosen the bounds. Nil
	// means a transport of our own, which heeds the proxies of the environment.
	Client *http.Client

	Timeout      time.Duration // bounds one Get, from dialing to the last byte
	MaxBody      int           // is the largest body in bytes, after decompression
	MaxRedirects int           // is how many redirects a Get follows; with 0 it returns the redirect itself

	// AllowInsecureHTTP lets a redirect lead from http to http on hosts other than loopback.
	AllowInsecureHTTP bool

	MaxIdleConns int           // bounds the idle connections of our own transport
	IdleTimeout  time.Duration // ends them
}

// Client makes GET requests that are bounded in time, in bytes and in redirects. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
	own  *http.Transport // nil if the caller lent one
}

// NewClient returns a Client. It checks nothing and does no I/O.
func NewClient(cfg Config) *Client {
	c := &Client{cfg: cfg}
	var transport http.RoundTripper
	if cfg.Client == nil {
		c.own = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: cfg.Timeout}).DialContext,
			TLSHandshakeTimeout:    cfg.Timeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           cfg.MaxIdleConns,
			IdleConnTimeout:        cfg.IdleTimeout,
			MaxResponseHeaderBytes: maxHeader,
		}
		transport = c.own
	} else {
		transport = cfg.Client.Transport // nil means http.DefaultTransport here as there
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	return c
}

// Close closes the idle connections of our own transport. A lent one is left alone.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// checkRedirect never lets a redirect lead from https to http, nor to a URL that a configuration could not name.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if c.cfg.MaxRedirects == 0 {
		return http.ErrUseLastResponse
	}
	if len(via) > c.cfg.MaxRedirects {
		return fmt.Errorf("more than %d redirects", c.cfg.MaxRedirects)
	}
	if err := weburl.CheckStep(via[len(via)-1].URL, req.URL, c.cfg.AllowInsecureHTTP); err != nil {
		return fmt.Errorf("redirect to %s: %w", weburl.Redact(req.URL.String()), err)
	}
	req.Header.Del("Referer") // http.Client puts the last URL there, whose query may hold a secret
	return nil
}

// Response is an answer that has been read.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // empty if Status is not 2xx: the body of another answer is not read
}

// Get makes one request with the fields of header, follows its redirects and reads the answer. An answer with a status
// other than 2xx is no error. No error holds the address, whose query may be a secret, nor wraps an error of package
// context: a slow server would look like a caller that went away.
func (c *Client) Get(ctx context.Context, address string, header http.Header) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("User-Agent", "bearergate")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.cause(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	r := &Response{Status: res.StatusCode, Header: res.Header}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return r, nil
	}
	if res.ContentLength > int64(c.cfg.MaxBody) {
		return nil, fmt.Errorf("the answer has %d bytes, more than %d", res.ContentLength, c.cfg.MaxBody)
	}
	// Content-Length need not be true, and says nothing of what is decompressed: the limit holds for what arrives.
	r.Body, err = io.ReadAll(io.LimitReader(res.Body, int64(c.cfg.MaxBody)+1))
	if err != nil {
		return nil, c.cause(ctx, err)
	}
	if len(r.Body) > c.cfg.MaxBody {
		return nil, fmt.Errorf("the answer has more than %d bytes", c.cfg.MaxBody)
	}
	return r, nil
}

func (c *Client) cause(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", c.cfg.Timeout)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	// http.Client repeats a Location that it can't read, whole.
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || len(err.Error()) > maxError {
		err = errors.New(weburl.Clip(err.Error(), maxError))
	}
	return err
}

// CheckJSON returns nil for status 200 with a media type that may stand for JSON. File servers often send JSON as
// octet-stream or plain text. An HTML page is refused: it is a portal or an error page, whatever its status.
func (r *Response) CheckJSON() error {
	if r.Status != http.StatusOK {
		return fmt.Errorf("status %d", r.Status)
	}
	contentType := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case contentType == "":
	case err != nil:
		return errors.New("the Content-Type cannot be read")
	case kind == "application/json", kind == "text/json", strings.HasSuffix(kind, "+json"):
	case kind == "text/plain", kind == "application/octet-stream", kind == "binary/octet-stream":
	default:
		return fmt.Errorf("the Content-Type is %q, not JSON", weburl.Clip(kind, 64))
	}
	return nil
}
