package authserver_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/jwks"
)

// refresher refreshes one grant again and again: a public client, an access token and an ID token each time,
// everything in memory, no log and no events.
type refresher struct {
	handler http.Handler
	token   string
	out     answerBuffer
}

func newRefresher(tb testing.TB, algorithm string) *refresher {
	tb.Helper()
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Algorithm: algorithm})
	require.NoError(tb, err)
	users, err := authserver.NewUserList(authserver.User{Subject: "alice-1", Username: "alice", PasswordHash: passwords["alice"]})
	require.NoError(tb, err)
	cfg := authserver.NewConfig(issuer)
	cfg.Keys, cfg.Users = keys, users
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	cfg.Clients = []authserver.Client{{ID: "spa", GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{spaBack},
		Scopes: []string{"openid", "offline_access", "api1"}}}
	srv, err := authserver.New(cfg)
	require.NoError(tb, err)
	t, err := srv.IssueTokens(context.Background(), authserver.IssueRequest{ClientID: "spa", Subject: "alice-1"})
	require.NoError(tb, err)
	return &refresher{handler: srv, token: t.RefreshToken, out: answerBuffer{header: http.Header{}}}
}

// request is made without httptest, whose own work would be measured too.
func (r *refresher) request() *http.Request {
	body := "grant_type=refresh_token&client_id=spa&refresh_token=" + r.token
	return &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/token"}, Host: "login.example", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)), RemoteAddr: "192.0.2.1:1234"}
}

// serve refreshes the grant once, without a network.
func (r *refresher) serve(tb testing.TB, req *http.Request) {
	r.out.reset()
	r.handler.ServeHTTP(&r.out, req)
	r.take(tb, r.out.status, r.out.body)
}

// take finds the new refresh token in an answer.
func (r *refresher) take(tb testing.TB, status int, body []byte) {
	_, rest, _ := bytes.Cut(body, []byte(`"refresh_token":"`))
	token, _, found := bytes.Cut(rest, []byte(`"`))
	if status != http.StatusOK || !found || string(token) == r.token {
		tb.Fatalf("%d %s", status, body)
	}
	r.token = string(token)
}

// answerBuffer is a ResponseWriter that can be used again.
type answerBuffer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answerBuffer) reset() {
	clear(a.header)
	a.status, a.body = http.StatusOK, a.body[:0]
}
func (a *answerBuffer) Header() http.Header    { return a.header }
func (a *answerBuffer) WriteHeader(status int) { a.status = status }
func (a *answerBuffer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

// unsigned is the floor: a token endpoint that does only the necessary work, without signatures and with hardly any
// checks.
type unsigned struct {
	mu     sync.Mutex
	grants map[[32]byte]string
}

func (u *unsigned) put(sub string) string {
	token := rand.Text() + rand.Text()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.grants[sha256.Sum256([]byte(token))] = sub
	return token
}

func (u *unsigned) take(token string) string {
	hash := sha256.Sum256([]byte(token))
	u.mu.Lock()
	defer u.mu.Unlock()
	sub := u.grants[hash]
	delete(u.grants, hash)
	return sub
}

func (u *unsigned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("client_id") != "spa" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	sub := u.take(r.PostForm.Get("refresh_token"))
	if sub == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":300,"refresh_token":%q,"id_token":%q}`, unsignedToken, u.put(sub), unsignedToken)
}

var unsignedToken = strings.Repeat("A", 600) // as long as a signed one

func newUnsigned() *refresher {
	u := &unsigned{grants: map[[32]byte]string{}}
	return &refresher{handler: u, token: u.put("alice-1"), out: answerBuffer{header: http.Header{}}}
}

// rawSignature returns the signature of something as long as a token, and nothing else.
func rawSignature(tb testing.TB, algorithm string) func() {
	text := []byte(strings.Repeat("a", 500))
	var key crypto.Signer
	var err error
	opts := crypto.SignerOpts(crypto.SHA256)
	switch algorithm {
	case "RS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		opts = crypto.Hash(0)
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	require.NoError(tb, err)
	return func() {
		input := text
		if opts.HashFunc() != 0 {
			hash := sha256.Sum256(text)
			input = hash[:]
		}
		if _, err := key.Sign(rand.Reader, input, opts); err != nil {
			tb.Fatal(err)
		}
	}
}

// stopwatch compares pieces of work in one run: they take turns, and the medians count.
type stopwatch struct{ times map[string][]time.Duration }

func (s *stopwatch) measure(name string, f func()) {
	begin := time.Now()
	f()
	if s.times == nil {
		s.times = map[string][]time.Duration{}
	}
	s.times[name] = append(s.times[name], time.Since(begin))
}

func (s *stopwatch) median(name string) float64 {
	slices.Sort(s.times[name])
	return float64(s.times[name][len(s.times[name])/2]) / float64(time.Microsecond)
}

// BenchmarkRefresh is a refresh with an access token and an ID token, once in process and once over a connection,
// beside the part that cannot be saved: two raw signatures, and a handler that does the least possible for the rest.
// x-floor is the refresh by the sum of the two. Over a connection this is elapsed time, not work: both sides sleep in
// between, and waking up takes longer after a longer sleep. peerbench measures the work of a server.
func BenchmarkRefresh(b *testing.B) {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		b.Run(algorithm, func(b *testing.B) {
			b.Run("in process", func(b *testing.B) {
				ours, floor, sign := newRefresher(b, algorithm), newUnsigned(), rawSignature(b, algorithm)
				compare(b, sign, func() func() { r := ours.request(); return func() { ours.serve(b, r) } },
					func() func() { r := floor.request(); return func() { floor.serve(b, r) } })
			})
			b.Run("http", func(b *testing.B) {
				ours, floor, sign := newRefresher(b, algorithm), newUnsigned(), rawSignature(b, algorithm)
				compare(b, sign, overHTTP(b, ours), overHTTP(b, floor))
			})
		})
	}
}

func compare(b *testing.B, sign func(), ours, floor func() func()) {
	var s stopwatch
	for b.Loop() {
		f := ours()
		s.measure("refresh", f)
		s.measure("signatures", func() { sign(); sign() })
		f = floor()
		s.measure("unsigned", f)
	}
	b.ReportMetric(0, "ns/op") // which would be the sum of all
	b.ReportMetric(s.median("refresh"), "µs/refresh")
	b.ReportMetric(s.median("signatures"), "µs/signatures")
	b.ReportMetric(s.median("unsigned"), "µs/unsigned")
	b.ReportMetric(s.median("refresh")/(s.median("signatures")+s.median("unsigned")), "x-floor")
}

// overHTTP refreshes over a connection of its own.
func overHTTP(b *testing.B, r *refresher) func() func() {
	server := httptest.NewServer(r.handler)
	b.Cleanup(server.Close)
	return func() func() {
		body := "grant_type=refresh_token&client_id=spa&refresh_token=" + r.token
		return func() {
			res, err := server.Client().Post(server.URL+"/token", "application/x-www-form-urlencoded", strings.NewReader(body))
			require.NoError(b, err)
			answer, err := io.ReadAll(res.Body)
			require.NoError(b, err)
			require.NoError(b, res.Body.Close())
			r.take(b, res.StatusCode, answer)
		}
	}
}

// BenchmarkRefreshAlone is the refresh in process and nothing else, for a profile and for its allocations.
func BenchmarkRefreshAlone(b *testing.B) {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		b.Run(algorithm, func(b *testing.B) {
			ours := newRefresher(b, algorithm)
			b.ReportAllocs()
			for b.Loop() {
				ours.serve(b, ours.request())
			}
		})
	}
}

// A request that costs a client nothing must be cheap to refuse: none reaches a signature, and the first not even the
// store.
func BenchmarkRefuse(b *testing.B) {
	w := newWorld(b)
	good := w.signIn().str("refresh_token")
	for name, pairs := range map[string][]string{
		"malformed": {"grant_type", "refresh_token", "refresh_token", "4d3f3061e8e049689a586d8dfcba0d08"},
		"scope":     {"grant_type", "refresh_token", "refresh_token", good, "scope", "admin"},
		"forged":    {"grant_type", "refresh_token", "refresh_token", "rt1_" + strings.Repeat("A", 72)},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, http.StatusBadRequest, w.mvc("/token", pairs...).status)
			}
		})
	}
}
