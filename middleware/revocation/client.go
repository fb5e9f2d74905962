package revocation

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/bearergate/bearergate/internal/fetch"
)

// client reads pages of the list, one request at a time.
type client struct {
	url       string
	authorize func(http.Header) // a closure holds the secret, so that no printing finds it
	http      *fetch.Client
	now       func() time.Time
}

// statusError is an answer that is not a page.
type statusError struct {
	code       int
	retryAfter time.Duration // 0 if the server did not say
}

func (e *statusError) Error() string {
	switch {
	case e.code >= 300 && e.code < 400:
		return fmt.Sprintf("status %d: a redirect is not followed with credentials", e.code)
	case e.code == http.StatusUnauthorized || e.code == http.StatusForbidden:
		return fmt.Sprintf("status %d: the client may not read the list", e.code)
	}
	return fmt.Sprintf("status %d", e.code)
}

func newClient(cfg *Config) *client {
	// Both are form-urlencoded first (RFC 6749, Section 2.3.1), so that they can contain a colon.
	pair := url.QueryEscape(cfg.ClientID) + ":" + url.QueryEscape(cfg.ClientSecret)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	return &client{
		url:       cfg.URL,
		authorize: func(h http.Header) { h.Set("Authorization", basic) },
		http: fetch.NewClient(fetch.Config{
			Client:       cfg.HTTPClient,
			Timeout:      min(5*time.Second, cfg.MaxAge/4),
			MaxBody:      maxBody,
			MaxIdleConns: 1,
			IdleTimeout:  time.Minute,
		}),
		now: cfg.Now,
	}
}

func (c *client) close() { c.http.Close() }

// get returns the page that follows cursor. It fails with a *statusError if the server answers anything but 200.
func (c *client) get(ctx context.Context, cursor string) (page, error) {
	address := c.url
	if cursor != "" {
		address += "?since=" + url.QueryEscape(cursor)
	}
	header := http.Header{"Accept": {"application/json"}}
	c.authorize(header)
	res, err := c.http.Get(ctx, address, header)
	if err != nil {
		return page{}, err
	}
	if res.Status != http.StatusOK {
		return page{}, &statusError{code: res.Status, retryAfter: fetch.RetryAfter(res.Header, c.now())}
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return page{}, errors.New("the answer is not application/json")
	}
	p, err := parsePage(res.Body)
	if err != nil {
		return page{}, fmt.Errorf("the answer can't be read: %w", err)
	}
	return p, nil
}
