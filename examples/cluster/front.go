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

// front is the common address of all authorization servers: a reverse proxy that sends each request to the next ready
// node.
//
// It sends a request to another node only if it could not connect to the first, so that nothing was sent. A request
// that was sent but not answered may have taken effect. Its client gets 502 and decides whether to send it again.
type front struct {
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	mu        sync.Mutex
	nodes     []backend
	turn      int
}

type backend struct {
	url   *url.URL // nil: never started
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

// set sets the address of a node. The node gets requests once it is ready.
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

// candidates returns the nodes to try: the ready ones, in turns, or all of them if none is ready.
func (f *front) candidates() (urls []*url.URL) {
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

// setReady records whether a node is ready, unless its address has changed meanwhile.
func (f *front) setReady(u *url.URL, ready bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.nodes {
		if f.nodes[i].url == u {
			f.nodes[i].ready = ready
		}
	}
}

// maxBody is more than any request to an authorization server needs.
const maxBody = 64 << 10

// RoundTrip implements [http.RoundTripper] for the proxy.
func (f *front) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return nil, err
		}
	}
	err := errors.New("no node has been started")
	for _, u := range f.candidates() {
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = u.Scheme, u.Host
		if r.Body != nil {
			out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			// The transport retries when a reused connection turns out to be closed before anything was written.
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
		f.setReady(u, false)
	}
	return nil, err
}

// watch polls the readiness of the nodes until ctx ends.
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
					f.setReady(u, isReady(ctx, client, u))
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
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
