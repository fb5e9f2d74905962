package redisstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/redisstore"
	"github.com/bearergate/bearergate/jwks"
)

const issuer = "http://127.0.0.1:5000"

var refreshKey = []byte("fedcba9876543210fedcba9876543210")

// newServer is a server over a store, with one public client that gets its sessions from IssueTokens.
func newServer(s *redisstore.Store, now func() time.Time, mods ...func(*authserver.Config)) (*authserver.Server, error) {
	keys, err := jwks.NewRotator(jwks.RotatorConfig{Store: s, Now: now})
	if err != nil {
		return nil, err
	}
	cfg := authserver.NewConfig(issuer)
	cfg.Store, cfg.RefreshKeys, cfg.Keys, cfg.Now, cfg.RefreshGrace = s, [][]byte{refreshKey}, keys, now, time.Minute
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	cfg.Clients = []authserver.Client{{ID: "app", Grants: []string{"refresh_token"}, Scopes: []string{"api1", "offline_access"}}}
	for _, mod := range mods {
		mod(cfg)
	}
	return authserver.New(cfg)
}

func signIn(t testing.TB, srv *authserver.Server, subject string) string {
	t.Helper()
	tokens, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "app", Subject: subject})
	require.NoError(t, err)
	return tokens.RefreshToken
}

type answer struct {
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
	status       int
	retryAfter   string
}

func refresh(srv http.Handler, token string) (answer, error) {
	body := url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}}.Encode()
	r := httptest.NewRequest("POST", issuer+"/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, r)
	a := answer{status: rec.Code, retryAfter: rec.Header().Get("Retry-After")}
	return a, json.Unmarshal(rec.Body.Bytes(), &a)
}

const (
	processes   = 8
	submissions = 1000
)

// submission is what a child process is told to do.
type submission struct {
	Addr, Prefix, Token string
	Times               int
}

// submitChild is one of several nodes: it has a pool and a server of its own, and gets the same token many times at once.
func submitChild() error {
	var job submission
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &job); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: job.Addr, PoolSize: 3, PoolTimeout: time.Minute, ReadTimeout: time.Minute})
	s, err := redisstore.Open(context.Background(), redisstore.Config{Client: client, Prefix: job.Prefix, SealKeys: [][]byte{sealKey},
		Timeout: time.Minute})
	if err != nil {
		return err
	}
	srv, err := newServer(s, func() time.Time { return epoch })
	if err != nil {
		return err
	}
	if err := srv.Ready(context.Background()); err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := io.ReadAll(os.Stdin); err != nil { // closed when all are ready
		return err
	}
	var wg sync.WaitGroup
	answers, problems := make([]answer, job.Times), make([]error, job.Times)
	for i := range job.Times {
		wg.Go(func() { answers[i], problems[i] = refresh(srv, job.Token) })
	}
	wg.Wait()
	for _, a := range answers {
		fmt.Println(a.status, a.RefreshToken)
	}
	return errors.Join(errors.Join(problems...), client.Close())
}

func TestThousandSubmissionsFromEightProcesses(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	srv, err := newServer(s, func() time.Time { return epoch })
	require.NoError(t, err)
	token := signIn(t, srv, "alice")
	job, err := json.Marshal(submission{server(t), cfg.Prefix, token, submissions / processes})
	require.NoError(t, err)

	type child struct {
		*exec.Cmd
		in  io.WriteCloser
		out *bytes.Buffer
	}
	var children []child
	ready := make(chan struct{}, processes)
	for range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+string(job))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out := new(bytes.Buffer)
		cmd.Stdout = writer(func(p []byte) (int, error) {
			if out.Len() == 0 {
				ready <- struct{}{}
			}
			return out.Write(p)
		})
		require.NoError(t, cmd.Start())
		children = append(children, child{cmd, in, out})
	}
	for range children {
		<-ready
	}
	for _, c := range children {
		require.NoError(t, c.in.Close())
	}
	answers := map[string]int{}
	for _, c := range children {
		require.NoError(t, c.Wait())
		for line := range strings.Lines(strings.TrimPrefix(c.out.String(), "ready\n")) {
			answers[strings.TrimSpace(line)]++
		}
	}
	require.Len(t, answers, 1, "all got the same successor")
	for a, n := range answers {
		assert.Equal(t, submissions, n)
		assert.True(t, strings.HasPrefix(a, "200 rt1_"))
	}
	list, err := s.Grants(t.Context(), authserver.Selector{Subject: "alice"}, epoch, 0)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.EqualValues(t, 2, list[0].Generation, "one rotation")
	assert.Equal(t, submissions-1, list[0].Replays)
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// line is the network between a store and its server; it can be cut.
type line struct {
	target string
	l      net.Listener
	mu     sync.Mutex
	cut    bool
	lose   atomic.Bool
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newLine(t testing.TB, target string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &line{target: target, l: l, conns: map[net.Conn]bool{}}
	n.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.wg.Go(func() { n.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		n.Cut(true)
		n.wg.Wait()
	})
	return n
}

func (n *line) carry(a net.Conn) {
	b, err := net.Dial("tcp", n.target)
	if err != nil {
		_ = a.Close()
		return
	}
	n.mu.Lock()
	n.conns[a], n.conns[b] = true, true
	if n.cut {
		_, _ = a.Close(), b.Close()
	}
	n.mu.Unlock()
	n.wg.Go(func() { _, _ = io.Copy(b, a); _ = b.Close() })
	_, _ = io.Copy(writer(func(p []byte) (int, error) {
		if n.lose.Load() {
			return 0, io.ErrClosedPipe
		}
		return a.Write(p)
	}), b)
	_ = a.Close()
}

// Cut breaks all connections and lets no new ones through, or lets them through again.
func (n *line) Cut(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	if cut {
		for c := range n.conns {
			_ = c.Close()
		}
		clear(n.conns)
	}
}

// LoseAnswers lets commands through and breaks the connection when the answer comes.
func (n *line) LoseAnswers(lose bool) { n.lose.Store(lose) }

// TestRedisDown: while Redis is away the token endpoint says 503, and the same token works when it is back.
func TestRedisDown(t *testing.T) {
	cfg := config(t)
	direct := open(t, cfg)
	n := newLine(t, server(t))
	through := cfg
	through.Client = connect(t, n.l.Addr().String())
	s := open(t, through)
	srv, err := newServer(s, func() time.Time { return epoch })
	require.NoError(t, err)
	token := signIn(t, srv, "alice")
	row := func() authserver.Grant {
		list, err := direct.Grants(t.Context(), authserver.Selector{Subject: "alice"}, epoch, 0)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
	for generation := uint32(1); generation < 4; generation++ {
		require.NoError(t, srv.Ready(t.Context()))
		before := row()
		require.Equal(t, generation, before.Generation)
		n.Cut(true)
		for range 3 {
			a, err := refresh(srv, token)
			require.NoError(t, err)
			assert.Equal(t, http.StatusServiceUnavailable, a.status)
			assert.Equal(t, "temporarily_unavailable", a.Error)
			assert.NotEmpty(t, a.retryAfter)
		}
		assert.Error(t, srv.Ready(t.Context()))
		_, err := srv.IssueTokens(t.Context(), authserver.IssueRequest{ClientID: "app", Subject: "alice"})
		assert.Error(t, err)
		assert.Equal(t, before, row(), "nothing was burned")
		n.Cut(false)
		a, err := refresh(srv, token)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.status, "without a restart")
		require.NotEqual(t, token, a.RefreshToken)
		token = a.RefreshToken
	}
}

// TestRolledBackSessionGoesOn: Redis has crashed and lost the last second. The client is one token ahead.
func TestRolledBackSessionGoesOn(t *testing.T) {
	for _, row := range []struct {
		name        string
		maxRollback int
		want        int
	}{
		{"not by itself", 0, http.StatusBadRequest},
		{"when it is switched on", 1, http.StatusOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := config(t)
			s := open(t, cfg)
			srv, err := newServer(s, func() time.Time { return epoch }, func(c *authserver.Config) { c.MaxRollback = row.maxRollback })
			require.NoError(t, err)
			first := signIn(t, srv, "alice")
			names := keys(t, cfg.Client, cfg.Prefix+"grant:")
			require.Len(t, names, 1)
			before := cfg.Client.Get(t.Context(), names[0]).Val()
			a, err := refresh(srv, first)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.status)
			require.NoError(t, cfg.Client.Set(t.Context(), names[0], before, time.Hour).Err(), "what the AOF had")
			b, err := refresh(srv, a.RefreshToken)
			require.NoError(t, err)
			assert.Equal(t, row.want, b.status)
			if row.want == http.StatusOK {
				again, err := refresh(srv, b.RefreshToken)
				require.NoError(t, err)
				assert.Equal(t, http.StatusOK, again.status)
			}
		})
	}
}
