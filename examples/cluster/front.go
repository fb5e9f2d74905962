package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// front is the one address of all authorization servers: a reverse proxy that gives each request to the next node that is ready.
//
// It sends a request to another node only if it could not even connect to the first, so that nothing was sent. A request that was
// sent and not answered may have been carried out; whether to send it again is for the client to decide, who gets 502.
type front struct {
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	mu        sync.Mutex
	nodes     []backend
	turn      int
}

type backend struct {
	url   *url.URL // nil: has never been started
	ready bool
}

func newFront(nodes int, logger *slog.Logger) *front {
	f := &front{nodes: make([]backend, nodes), transport: &http.Transport{
		MaxIdleConnsPerHost: 1000, IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
	}}
	f.proxy = &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetXForwarded() },
		Transport: f,
		ErrorLog:  slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.proxy.ServeHTTP(w, r) }

// set says where a node is from now on. It gets requests once it is ready.
func (f *front) set(node int, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.nodes[node] = backend{url: u}
	f.mu.Unlock()
	return nil
}

// order returns the nodes to try: those that are ready, beginning with whose turn it is, or all if none is.
func (f *front) order() (urls []*url.URL) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn++
	for _, ready := range []bool{true, false} {
		for i := range f.nodes {
			if n := f.nodes[(f.turn+i)%len(f.nodes)]; n.url != nil && n.ready == ready {
				urls = append(urls, n.url)
			}
		}
		if len(urls) > 0 {
			return urls
		}
	}
	return nil
}

// mark notes whether a node is ready, unless it has moved meanwhile.
func (f *front) mark(u *url.URL, ready bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.nodes {
		if f.nodes[i].url == u {
			f.nodes[i].ready = ready
		}
	}
}

// maxForm is more than any request to an authorization server has.
const maxForm = 64 << 10

// RoundTrip implements [http.RoundTripper] for the proxy.
func (f *front) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxForm)); err != nil {
			return nil, err
		}
	}
	err := errors.New("no node has been started")
	for _, u := range f.order() {
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = u.Scheme, u.Host
		if r.Body != nil {
			out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			// For a kept connection that turns out to be closed before anything was written to it.
			out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		}
		var res *http.Response
		if res, err = f.transport.RoundTrip(out); err == nil {
			return res, nil
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" {
			return nil, err
		}
		f.mark(u, false)
	}
	return nil, err
}

// watch asks the nodes whether they are ready until ctx ends.
func (f *front) watch(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range f.nodes {
		wg.Go(func() {
			for ctx.Err() == nil {
				f.mu.Lock()
				u := f.nodes[i].url
				f.mu.Unlock()
				if u != nil {
					f.mark(u, isReady(ctx, client, u))
				}
				select {
				case <-ctx.Done():
				case <-time.After(150 * time.Millisecond):
				}
			}
		})
	}
	wg.Wait()
}

func isReady(ctx context.Context, client *http.Client, u *url.URL) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("readyz").String(), nil)
	if err != nil {
		return false
	}
	res, err := client.Do(r)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxForm))
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
