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
	nodeCount   = 8
	submitCount = 1000
	// nodesTime is how long RunNodes may take on a machine that has much else to do; it takes seconds.
	nodesTime = 3 * time.Minute
)

// RunNodes checks a store that several processes share. It starts the test binary eight times more; each of these nodes runs the same test
// up to this call, opens the store and serves tokens from it until RunNodes ends it, or dies. So a test has one call of RunNodes, before
// which nothing is done that must not happen in every process.
//
// config is called once, and makes an empty place for data. What it returns says where that is, a URL for example, and reaches each node
// as the argument of open. open is called in every process, and closes with t.Cleanup what it opens. A store that limits the time of a call
// needs enough for the last one of 125 that come at once, on a machine that has much else to do: a minute.
//
// A thousand submissions of one refresh token, at eight nodes at once, are one rotation: all get the same successor. Then seven of the nodes
// are killed, one after the other, while clients refresh: every session goes on with the refresh token that its client had last, and no token
// has had two successors.
func RunNodes(t *testing.T, config func(t *testing.T) string, open func(t *testing.T, config string) authserver.Store) {
	if os.Getenv(nodeEnv) != "" {
		serveNode(t, open)
		t.SkipNow() // the test has more to do, but not here
	}
	where := config(t)
	ctx, cancel := context.WithTimeout(t.Context(), nodesTime)
	t.Cleanup(cancel)
	s := open(t, where)
	srv, err := serverOver(s)
	if err != nil {
		t.Fatal(err)
	}
	nodes := startNodes(ctx, t, where)
	t.Run("a thousand submissions from eight processes are one rotation", func(t *testing.T) { submissionsFromNodes(ctx, t, srv, s, nodes) })
	t.Run("killed processes lose no session", func(t *testing.T) { killedNodes(ctx, t, srv, s, nodes) })
	for _, n := range nodes {
		_ = n.in.Close()
	}
	for i, n := range nodes {
		<-n.exited // by itself, or the context ends it
		if n.err != nil && !n.killed.Load() {
			t.Errorf("node %d did not end in order: %v\n%s", i, n.err, n.heard())
		}
	}
}

// submissionsFromNodes has all nodes submit the same refresh token.
func submissionsFromNodes(ctx context.Context, t *testing.T, srv *authserver.Server, s authserver.Store, nodes []*node) {
	const user = "user of all nodes"
	token := signIn(t, srv, user)
	answers, problems := make([]map[string]int, len(nodes)), make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { answers[i], problems[i] = n.burst(ctx, burst{token, submitCount / nodeCount}) })
	}
	wg.Wait()
	total, successors := 0, map[string]bool{}
	for i := range nodes {
		if problems[i] != nil {
			t.Fatalf("node %d: %v", i, problems[i])
		}
		for a, times := range answers[i] {
			status, next, _ := strings.Cut(a, " ")
			if status != "200" || !strings.HasPrefix(next, "rt1_") || next == token {
				t.Errorf("node %d: %d answers with status %s, new token %v", i, times, status, strings.HasPrefix(next, "rt1_") && next != token)
			}
			successors[next] = true
			total += times
		}
	}
	if total != submitCount || len(successors) != 1 {
		t.Errorf("%d answers with %d different successors, want %d with one", total, len(successors), submitCount)
	}
	if g := session(t, s, user); g.Generation != 2 || g.Replays != submitCount-1 {
		t.Errorf("generation %d with %d replays, want 2 with %d", g.Generation, g.Replays, submitCount-1)
	}
}

// node is another process of the test binary.
type node struct {
	cmd    *exec.Cmd
	in     io.Closer
	client *http.Client
	exited chan struct{} // closed when it has; err is set then
	err    error

	mu    sync.Mutex
	out   bytes.Buffer
	addr  string
	ready chan struct{} // closed when addr is known

	busy   atomic.Int64 // requests that are under way
	killed atomic.Bool
}

// startNodes starts all and waits until they serve. Whatever happens they end with the test: by the context, by a cleanup, and by their
// stdin if this process goes without either.
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
			client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * chainCount}}}
		//nolint:gosec // self is this program
		n.cmd = exec.CommandContext(ctx, self, "-test.run="+strings.Join(levels, "/"), "-test.count=1", "-test.timeout="+(2*nodesTime).String())
		n.cmd.Env = append(os.Environ(), nodeEnv+"=1")
		n.cmd.Stdout, n.cmd.Stderr = writer(n.hear), os.Stderr
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
		_, _ = in.Write(append(first, '\n')) // if it has ended by now, it says why
	}
	for i, n := range nodes {
		select {
		case <-n.ready:
		case <-n.exited:
			t.Fatalf("node %d ended at once: %v\n%s", i, n.err, n.heard())
		case <-ctx.Done():
			t.Fatalf("node %d does not serve: %v\n%s", i, ctx.Err(), n.heard())
		}
	}
	return nodes
}

// hear gets what the node writes to stdout.
func (n *node) hear(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out.Write(p)
	if n.addr == "" {
		if _, after, ok := strings.Cut(n.out.String(), announcement); ok {
			if addr, _, whole := strings.Cut(after, "\n"); whole {
				n.addr = strings.TrimSpace(addr)
				close(n.ready)
			}
		}
	}
	return len(p), nil
}

func (n *node) heard() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.out.String()
}

// kill ends the node as a crash does: SIGKILL.
func (n *node) kill() {
	n.killed.Store(true)
	_ = n.cmd.Process.Kill()
}

// refresh presents a refresh token over the network. An error says that there was no answer.
func (n *node) refresh(ctx context.Context, token string) (a answer, err error) {
	a.Status, a.RetryAfter, err = n.post(ctx, tokenPath, formType, form(token), &a)
	return a, err
}

// burst has the node submit a refresh token many times at once and returns how often it got which answer.
func (n *node) burst(ctx context.Context, b burst) (answers map[string]int, err error) {
	body, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	_, _, err = n.post(ctx, burstPath, "application/json", string(body), &answers)
	return answers, err
}

func (n *node) post(ctx context.Context, path, contentType, body string, v any) (status int, retryAfter string, err error) {
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
