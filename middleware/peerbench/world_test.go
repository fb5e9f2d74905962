package peerbench

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearergate/bearergate/middleware/authtest"
)

// A world is one issuer, in process, and one API that accepts its tokens. It is meant to live in a synctest bubble, where
// an hour passes at once and the libraries' own clocks and timers follow.
type world struct {
	tb     testing.TB
	ctx    context.Context // ends with the bubble
	issuer *authtest.Issuer
	target Target
	api    http.Handler
	edit   func(keySet []byte) []byte // what is published in place of the key set
	maxAge string                     // what the key set's Cache-Control says

	mu      sync.Mutex
	fetches int // of the key set
	all     int // requests of any kind
}

// newWorld starts an issuer; start starts the API.
func newWorld(tb testing.TB) *world {
	w := &world{tb: tb, issuer: authtest.NewIssuer(tb, authtest.Scope("orders:read", "orders:write"))}
	w.target = Target{
		Issuer:     w.issuer.Name(),
		KeySetURL:  w.issuer.Name() + "/jwks.json",
		Audience:   "api1",
		Scope:      "orders:write",
		Algorithm:  "ES256",
		Algorithms: []string{"RS256", "PS256", "ES256", "EdDSA"},
		Client:     &http.Client{Transport: w},
	}
	return w
}

// start builds peer's API. It ends with ctx.
func (w *world) start(ctx context.Context, peer Peer) error {
	var err error
	w.api, err = peer.New(ctx, w.target, func(rw http.ResponseWriter, _ *http.Request, _ string) { rw.WriteHeader(http.StatusOK) })
	return err
}

// RoundTrip is the way to the issuer: it counts fetches of the key set and lets edit change it.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.all++
	w.mu.Unlock()
	resp, err := w.issuer.Client().Transport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/jwks.json") {
		return resp, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fetches++
	if w.maxAge != "" {
		resp.Header.Set("Cache-Control", "max-age="+w.maxAge)
	}
	if w.edit != nil && resp.StatusCode == http.StatusOK {
		doc, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		doc = w.edit(doc)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(doc)), int64(len(doc))
		resp.Header.Del("Content-Length")
	}
	return resp, nil
}

// count returns how often the key set was fetched while f ran.
func (w *world) count(f func()) int {
	w.mu.Lock()
	before := w.fetches
	w.mu.Unlock()
	f()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetches - before
}

// countAll is count for requests of any kind, discovery among them.
func (w *world) countAll(f func()) int {
	w.mu.Lock()
	before := w.all
	w.mu.Unlock()
	f()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all - before
}

// pass lets time pass, on every clock, and lets whatever is due then happen.
func (w *world) pass(d time.Duration) {
	w.issuer.Advance(d)
	time.Sleep(d)
	synctest.Wait()
}

// panicked stands for the status of a request in which the API panicked.
const panicked = 599

// send asks the API with a token.
func (w *world) send(token string) *http.Response {
	return w.ask("Bearer " + token)
}

// ask asks the API with these values of the Authorization header.
func (w *world) ask(authorization ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "https://api.test/orders", nil)
	for _, v := range authorization {
		r.Header.Add("Authorization", v)
	}
	began := time.Now()
	rec := httptest.NewRecorder()
	func() {
		defer func() {
			if recover() != nil { // net/http would close the connection
				rec.Code = panicked
			}
		}()
		w.api.ServeHTTP(rec, r)
	}()
	w.issuer.Advance(time.Since(began)) // a library may have kept the request waiting
	synctest.Wait()                     // and may have something to finish behind it
	return rec.Result()
}

// accepts reports whether the API accepts a token.
func (w *world) accepts(token string) bool { return w.send(token).StatusCode == http.StatusOK }

// body is the body of an answer.
func body(r *http.Response) string {
	text, _ := io.ReadAll(r.Body)
	return string(text)
}
