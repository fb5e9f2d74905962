package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

const (
	nodeCount    = 8
	refreshCount = 1000
	// nodesTimeout limits RunNodes on a busy machine; normally it takes seconds.
	nodesTimeout = 3 * time.Minute
)

// RunNodes checks a store that several processes share. It starts the test binary eight more times. Each of these nodes
// runs the same test up to this call, opens the store and serves tokens from it, until RunNodes stops or kills it. So a
// test must call RunNodes once, and must not do anything before it that would harm in every process.
//
// RunNodes calls config once, to create an empty database. It passes the result, for example a URL, to open. It calls
// open in every process; open closes the store with t.Cleanup. If the store limits the time of a call, the limit must
// suffice for the last of 125 concurrent calls on a busy machine: use a minute.
//
// First, a thousand concurrent refreshes with one token at eight nodes must be one rotation, with the same new token
// for all. Then RunNodes kills seven of the nodes, one after the other, while clients refresh. Every grant must go on
// with the token that its client got last, and no token may have two newTokens.
func RunNodes(t *testing.T, config func(t *testing.T) string, open func(t *testing.T, config string) authserver.Store) {
	if os.Getenv(nodeEnv) != "" {
		serveNode(t, open)
		t.SkipNow() // the rest of the test is for the parent
	}
	where := config(t)
	ctx, cancel := context.WithTimeout(t.Context(), nodesTimeout)
	t.Cleanup(cancel)
	s := open(t, where)
	srv, err := newServer(s)
	if err != nil {
		t.Fatal(err)
	}
	nodes := startNodes(ctx, t, where)
	t.Run("a thousand refreshes from eight processes are one rotation",
		func(t *testing.T) { refreshAtAllNodes(ctx, t, srv, s, nodes) })
	t.Run("killed processes lose no grant", func(t *testing.T) { killNodes(ctx, t, srv, s, nodes) })
	for _, n := range nodes {
		_ = n.in.Close()
	}
	for i, n := range nodes {
		<-n.exited // it ends by itself, or the context kills it
		if n.err != nil && !n.killed.Load() {
			t.Errorf("node %d did not stop cleanly: %v\n%s", i, n.err, n.output())
		}
	}
}

// refreshAtAllNodes presents the same refresh token at all nodes at once.
func refreshAtAllNodes(ctx context.Context, t *testing.T, srv *authserver.Server, s authserver.Store, nodes []*node) {
	const user = "user of all nodes"
	token := issueRefreshToken(t, srv, user)
	answers, problems := make([]map[string]int, len(nodes)), make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { answers[i], problems[i] = n.burst(ctx, burst{token, refreshCount / nodeCount}) })
	}
	wg.Wait()
	total, newTokens := 0, map[string]bool{}
	for i := range nodes {
		if problems[i] != nil {
			t.Fatalf("node %d: %v", i, problems[i])
		}
		for a, times := range answers[i] {
			status, next, _ := strings.Cut(a, " ")
			if status != "200" || !strings.HasPrefix(next, "rt1_") || next == token {
				t.Errorf("node %d: %d answers with status %s, new token %v", i, times, status,
					strings.HasPrefix(next, "rt1_") && next != token)
			}
			newTokens[next] = true
			total += times
		}
	}
	if total != refreshCount || len(newTokens) != 1 {
		t.Errorf("%d answers with %d different new tokens, want %d with one", total, len(newTokens), refreshCount)
	}
	if g := onlyGrant(t, s, user); g.Generation != 2 || g.Replays != refreshCount-1 {
		t.Errorf("generation %d with %d replays, want 2 with %d", g.Generation, g.Replays, refreshCount-1)
	}
}

// node is another process of the test binary.
type node struct {
	cmd    *exec.Cmd
	in     io.Closer
	client *http.Client
	exited chan struct{} // closed after the process has ended and err is set
	err    error

	mu    sync.Mutex
	buf   bytes.Buffer
	addr  string
	ready chan struct{} // closed when addr is known

	busy   atomic.Int64 // running requests
	killed atomic.Bool
}

// startNodes starts all nodes and waits until they serve. They end with the test in every case: by the context, by a
// cleanup, or by the end of their stdin if this process dies.
func startNodes(ctx context.Context, t *testing.T, config string) []*node {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	levels := strings.Split(t.Name(), "/")
	for i, name := range levels {
		levels[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	nodes := make([]*node, nodeCount)
	for i := range nodes {
		n := &node{exited: make(chan struct{}), ready: make(chan struct{}),
			client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * clientCount}}}
		//nolint:gosec // self is this test binary
		n.cmd = exec.CommandContext(ctx, self, "-test.run="+strings.Join(levels, "/"), "-test.count=1",
			"-test.timeout="+(2*nodesTimeout).String())
		n.cmd.Env = append(os.Environ(), nodeEnv+"=1")
		n.cmd.Stdout, n.cmd.Stderr = writer(n.readOutput), os.Stderr
		in, err := n.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := n.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		n.in, nodes[i] = in, n
		go func() {
			defer close(n.exited)
			n.err = n.cmd.Wait()
		}()
		t.Cleanup(func() {
			n.kill()
			<-n.exited
			n.client.CloseIdleConnections()
		})
		_, _ = in.Write(append(first, '\n')) // if the node has died, its output says why
	}
	for i, n := range nodes {
		select {
		case <-n.ready:
		case <-n.exited:
			t.Fatalf("node %d ended early: %v\n%s", i, n.err, n.output())
		case <-ctx.Done():
			t.Fatalf("node %d does not serve: %v\n%s", i, ctx.Err(), n.output())
		}
	}
	return nodes
}

// readOutput receives what the node writes to stdout.
func (n *node) readOutput(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.buf.Write(p)
	if n.addr == "" {
		if _, after, ok := strings.Cut(n.buf.String(), announcement); ok {
			if addr, _, whole := strings.Cut(after, "\n"); whole {
				n.addr = strings.TrimSpace(addr)
				close(n.ready)
			}
		}
	}
	return len(p), nil
}

func (n *node) output() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.String()
}

// kill simulates a crash of the node with SIGKILL.
func (n *node) kill() {
	n.killed.Store(true)
	_ = n.cmd.Process.Kill()
}

// refresh presents a refresh token over the network. An error means that there was no answer.
func (n *node) refresh(ctx context.Context, token string) (a answer, err error) {
	a.Status, a.RetryAfter, err = n.post(ctx, tokenPath, formType, form(token), &a)
	return a, err
}

// burst lets the node present a refresh token several times at once, and returns how many times it got each answer.
func (n *node) burst(ctx context.Context, b burst) (answers map[string]int, err error) {
	body, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	_, _, err = n.post(ctx, burstPath, "application/json", string(body), &answers)
	return answers, err
}

func (n *node) post(
	ctx context.Context, path, contentType, body string, v any,
) (status int, retryAfter string, err error) {
	n.busy.Add(1)
	defer n.busy.Add(-1)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", contentType)
	res, err := n.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode, res.Header.Get("Retry-After"), json.NewDecoder(res.Body).Decode(v)
}
