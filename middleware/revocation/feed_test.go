package revocation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware"
	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/revocation"
)

const (
	secret = "s3cret: with a colon"
	cursor = "+&at " // what every cursor begins with: it has to be escaped
)

// A feed is the server's side: what is revoked, in the order in which it was, in pages. It does not leave out what has ended.
type feed struct {
	mu       sync.Mutex
	revoked  []revoked
	pageSize int
	again    int // how many of the last entries come again with every poll
	requests []asked
	busy     int
	fault    http.HandlerFunc // answers in its place, unless nil
}

type revoked struct {
	ID  string `json:"id"`
	Exp int64  `json:"exp"`
}

type asked struct {
	at    time.Time
	since string
}

func newFeed() *feed { return &feed{pageSize: 100, again: 2} }

func (f *feed) revoke(life time.Duration, ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.revoked = append(f.revoked, revoked{id, time.Now().Add(life).Unix()})
	}
}

func (f *feed) set(fault http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *feed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = nil
}

// asked returns the requests since the last call.
func (f *feed) asked() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.requests
	f.requests = nil
	return all
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, asked{time.Now(), r.URL.Query().Get("since")})
	if f.fault != nil {
		fault := f.fault
		f.busy++
		f.mu.Unlock()
		fault(w, r)
		f.mu.Lock()
		f.busy--
		return
	}
	if id, pass, _ := r.BasicAuth(); id != "api1" || pass != "s3cret%3A+with+a+colon" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	at := 0
	if since := r.URL.Query().Get("since"); since != "" {
		var err error
		if at, err = strconv.Atoi(strings.TrimPrefix(since, cursor)); err != nil || at > len(f.revoked) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	answer := map[string]any{}
	end := min(at+f.pageSize, len(f.revoked))
	answer["revoked"], answer["cursor"] = append([]revoked{}, f.revoked[at:end]...), fmt.Sprint(cursor, max(at, end-f.again))
	if end < len(f.revoked) {
		answer["cursor"], answer["more"] = fmt.Sprint(cursor, end), true
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}

// inProcess brings requests to a handler without a network, and gives up when they do.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	done := make(chan *http.Response, 1)
	go func() {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		res := rec.Result()
		res.Request = r
		done <- res
	}()
	select {
	case res := <-done:
		return res, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// A world is an issuer, its feed, and an API that follows it.
type world struct {
	t    testing.TB
	iss  *authtest.Issuer
	feed *feed
	cfg  *revocation.Config
	list *revocation.List

	mu     sync.Mutex
	events []revocation.Event
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, iss: authtest.NewIssuer(t), feed: newFeed()}
	w.cfg = revocation.NewConfig(w.iss.Name(), "api1", secret)
	w.cfg.WhenStale = revocation.Refuse
	w.cfg.HTTPClient = &http.Client{Transport: inProcess{w.feed}}
	w.cfg.OnEvent = func(e revocation.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	return w
}

// run starts the list. stop ends it and waits until it has ended.
func (w *world) run() (stop func()) {
	var err error
	w.list, err = revocation.New(w.cfg)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.list.Run(ctx) }()
	return func() {
		cancel()
		assert.ErrorIs(w.t, <-ended, context.Canceled)
	}
}

// inBubble runs test in a bubble of its own, in which nothing is left when it ends.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

// kinds returns what was told since the last call.
func (w *world) kinds() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var kinds []string
	for _, e := range w.events {
		kinds = append(kinds, e.Kind)
	}
	w.events = nil
	return kinds
}

// token returns an accepted token with that jti.
func (w *world) token(jti string, mods ...authtest.Mod) *middleware.Token {
	w.t.Helper()
	cfg := w.iss.Config()
	v, err := middleware.NewValidator(cfg)
	require.NoError(w.t, err)
	defer v.Close()
	tok, err := v.Validate(w.t.Context(), w.iss.Token(append(mods, authtest.Claim("jti", jti))...))
	require.NoError(w.t, err)
	return tok
}

// check asks about a token with that jti.
func (w *world) check(jti string) error { return w.list.Check(w.t.Context(), w.token(jti)) }
