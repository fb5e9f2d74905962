package revocation

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

const maxHeader = 64 << 10

// A source asks the feed, one request at a time.
type source struct {
	url       string
	authorize func(*http.Request) // holds the secret, where no printing finds it
	client    *http.Client
	transport *http.Transport // ours to close; nil if the caller lent one
	timeout   time.Duration
	now       func() time.Time
}

// refusal is an answer that is not a page.
type refusal struct {
	status     int
	retryAfter time.Duration // 0 if the server did not say
}

func (r *refusal) Error() string {
	switch {
	case r.status >= 300 && r.status < 400:
		return fmt.Sprintf("status %d: a redirect is not followed with credentials", r.status)
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return fmt.Sprintf("status %d: the client may not read the feed", r.status)
	}
	return fmt.Sprintf("status %d", r.status)
}

func newSource(cfg *Config) *source {
	// Both are form-urlencoded first (RFC 6749 §2.3.1), so that they can hold a colon.
	id, secret := url.QueryEscape(cfg.ClientID), url.QueryEscape(cfg.ClientSecret)
	s := &source{
		url:       cfg.URL,
		authorize: func(r *http.Request) { r.SetBasicAuth(id, secret) },
		timeout:   min(5*time.Second, cfg.MaxAge/4),
		now:       cfg.Now,
	}
	var transport http.RoundTripper
	if cfg.HTTPClient != nil {
		transport = cfg.HTTPClient.Transport
		if transport == nil {
			transport = http.DefaultTransport
		}
	} else {
		s.transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: s.timeout}).DialContext,
			TLSHandshakeTimeout:    s.timeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           1,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxHeader,
		}
		transport = s.transport
	}
	s.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

func (s *source) close() {
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
}

// page asks for what follows cursor. It fails with a *refusal if the server answers something else than 200.
func (s *source) page(ctx context.Context, cursor string) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	address := s.url
	if cursor != "" {
		address += "?since=" + url.QueryEscape(cursor)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return page{}, errors.New("not a URL")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "bearergate")
	s.authorize(req)
	res, err := s.client.Do(req)
	if err != nil {
		return page{}, s.cause(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return page{}, &refusal{status: res.StatusCode, retryAfter: s.retryAfter(res.Header)}
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return page{}, errors.New("the answer is not application/json")
	}
	// The body is bounded as it arrives, after decompression: what it says of its length need not be true.
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return page{}, s.cause(ctx, err)
	}
	if len(body) > maxBody {
		return page{}, fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	p, err := parsePage(body)
	if err != nil {
		return page{}, fmt.Errorf("the answer can't be read: %w", err)
	}
	return p, nil
}

// cause takes the address off an error of http.Client, and names a timeout as ours.
func (s *source) cause(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", s.timeout)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err
}

// retryAfter is what the server asks to wait (RFC 9110 §10.2.3).
func (s *source) retryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(s.now()), 0)
	}
	return 0
}
