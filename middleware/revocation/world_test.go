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
	cursor = "+&at " // the start of every cursor: it needs escaping
)

// fakeServer serves what was revoked, in that order, in pages. It does not leave out expired entries.
type fakeServer struct {
	mu       sync.Mutex
	revoked  []revoked
	pageSize int
	again    int // the number of last entries that every poll repeats
	requests []asked
	busy     int
	fault    http.HandlerFunc // answers instead, unless nil
}

type revoked struct {
	ID  string `json:"id"`
	Exp int64  `json:"exp"`
}

type asked struct {
	at    time.Time
	since string
}

func newFakeServer() *fakeServer { return &fakeServer{pageSize: 100, again: 2} }

func (s *fakeServer) revoke(life time.Duration, ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.revoked = append(s.revoked, revoked{id, time.Now().Add(life).Unix()})
	}
}

func (s *fakeServer) set(fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *fakeServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = nil
}

// asked returns the requests since the last call.
func (s *fakeServer) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, asked{time.Now(), r.URL.Query().Get("since")})
	if s.fault != nil {
		fault := s.fault
		s.busy++
		s.mu.Unlock()
		fault(w, r)
		s.mu.Lock()
		s.busy--
		return
	}
	if id, pass, _ := r.BasicAuth(); id != "api1" || pass != "s3cret%3A+with+a+colon" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	at := 0
	if since := r.URL.Query().Get("since"); since != "" {
		var err error
		if at, err = strconv.Atoi(strings.TrimPrefix(since, cursor)); err != nil || at > len(s.revoked) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	answer := map[string]any{}
	end := min(at+s.pageSize, len(s.revoked))
	answer["revoked"], answer["cursor"] = append([]revoked{}, s.revoked[at:end]...), fmt.Sprint(cursor, max(at, end-s.again))
	if end < len(s.revoked) {
		answer["cursor"], answer["more"] = fmt.Sprint(cursor, end), true
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}

// inProcess serves requests by a handler without a network, and honours their contexts.
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

// world is an issuer, its revocation list, and an API that follows it.
type world struct {
	t      testing.TB
	iss    *authtest.Issuer
	server *fakeServer
	cfg    *revocation.Config
	list   *revocation.List

	mu     sync.Mutex
	events []revocation.Event
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, iss: authtest.NewIssuer(t), server: newFakeServer()}
	w.cfg = revocation.NewConfig(w.iss.Name(), "api1", secret)
	w.cfg.WhenStale = revocation.Reject
	w.cfg.HTTPClient = &http.Client{Transport: inProcess{w.server}}
	w.cfg.OnEvent = func(e revocation.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	return w
}

// run starts the list. stop ends Run and waits for it.
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

// inBubble runs test in a synctest bubble, which fails if a goroutine is left at the end.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

// kinds returns the kinds of the events since the last call.
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

// token returns a validated token with that jti.
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

// check calls Check with a token with that jti.
func (w *world) check(jti string) error { return w.list.Check(w.t.Context(), w.token(jti)) }
