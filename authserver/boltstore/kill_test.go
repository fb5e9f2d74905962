//go:build unix

package boltstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/boltstore"
)

var kills = flag.Int("kills", 12, "how often the kill -9 test kills the server")

const childEnv = "BOLTSTORE_TEST_CHILD"

// TestMain turns the test binary into one of the helper processes when it is started as one.
func TestMain(m *testing.M) {
	child := map[string]func(dir string) error{"serve": serveChild, "fill": fillChild, "open": openChild}
	if name, dir, ok := strings.Cut(os.Getenv(childEnv), " "); ok {
		if err := child[name](dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serveChild is a real server process on a directory; it prints its address and serves until it is killed.
func serveChild(dir string) error {
	s, err := boltstore.Open(dir)
	if err != nil {
		return err
	}
	cfg := authserver.NewConfig(issuer)
	cfg.Store, cfg.RefreshKeys, cfg.RefreshGrace = s, s.RefreshKeys(), time.Minute
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	cfg.Clients = []authserver.Client{{ID: "app", Grants: []string{"refresh_token"}, Scopes: []string{"api1", "offline_access"}}}
	srv, err := authserver.New(cfg)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return http.Serve(l, srv)
}

func start(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=serve "+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // in case the test has ended early
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the database has to open every time")
	return cmd, strings.TrimSpace(line)
}

// TestKilledServerLosesNoSession kills a real server process at random moments while clients refresh throughout. Each client keeps the
// token that it saved last and tries again with it, as a real one does; in the end each session is there once, at the generation
// that its client has. The default is a short run; -kills 200 is the long one.
func TestKilledServerLosesNoSession(t *testing.T) {
	const clients = 4
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	srv := newServer(t, s, nil)
	tokens := make([]string, clients)
	for i := range tokens {
		tokens[i] = signIn(t, srv, "user")
	}
	require.NoError(t, s.Close())

	var mu sync.Mutex // guards address
	cmd, address := start(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	counts := make([]int, clients)
	through := make(chan int, 1000) // who got a new token; what does not fit need not be told
	failed := make(chan struct{}, clients)
	next := func() int {
		select {
		case i := <-through:
			return i
		case <-failed:
			cancel()
			wg.Wait()
			t.FailNow()
			return 0
		}
	}
	for i := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				target := address
				mu.Unlock()
				next, err := post(target, tokens[i])
				if errors.Is(err, errLost) {
					t.Errorf("client %d: %v", i, err)
					failed <- struct{}{}
					return
				}
				if err != nil {
					continue // killed, or not up yet: the same token again
				}
				if next == tokens[i] {
					t.Errorf("client %d got its own token back", i)
					failed <- struct{}{}
					return
				}
				tokens[i] = next
				counts[i]++
				select {
				case through <- i:
				default:
				}
			}
		})
	}
	for kill := range *kills {
		if kill%2 == 0 { // this server is to be killed at work, however slow the machine is, the next one perhaps before
			for len(through) > 0 {
				<-through
			}
			next()
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // a random moment, not a wait for something
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		restarted, a := start(t, dir)
		mu.Lock()
		cmd, address = restarted, a
		mu.Unlock()
	}
	for seen := map[int]bool{}; len(seen) < clients; {
		seen[next()] = true
	}
	cancel()
	wg.Wait()
	for i := range tokens { // a last one each, so that a token whose answer was lost is behind us
		next, err := post(address, tokens[i])
		require.NoError(t, err, "client %d", i)
		tokens[i] = next
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	s = open(t, dir)
	list, err := s.Grants(t.Context(), authserver.Selector{Subject: "user"}, time.Now(), 0)
	require.NoError(t, err)
	assert.Len(t, list, clients, "no session lost, none doubled")
	final := newServer(t, s, nil)
	for _, token := range tokens {
		status, a := refresh(t, final, token)
		assert.Equal(t, http.StatusOK, status, a.Error)
	}
	for _, g := range list {
		now, err := s.Grant(t.Context(), g.ID)
		require.NoError(t, err)
		assert.Equal(t, g.Generation+1, now.Generation, "the client had the current token, not an older one")
	}
	t.Logf("%d kills, refreshes of each client: %v", *kills, counts)
}

var errLost = errors.New("the session was lost")

// post refreshes over the network. An error means that the client learned nothing.
func post(address, token string) (string, error) {
	res, err := http.Post(address+"/token", "application/x-www-form-urlencoded", strings.NewReader(refreshBody(token)))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return "", err
	}
	if res.StatusCode == http.StatusBadRequest {
		return "", fmt.Errorf("%w: %s", errLost, a.Error)
	}
	if res.StatusCode != http.StatusOK {
		return "", errors.New(res.Status)
	}
	return a.RefreshToken, nil
}

// fillChild writes rows until the file system has no room for more, and checks that what was acknowledged is there.
func fillChild(dir string) error {
	s, err := boltstore.Open(dir)
	if err != nil {
		return err
	}
	if err := limitFileSize(256 << 10); err != nil {
		return err
	}
	ctx := context.Background()
	big := grant("")
	big.Nonce = strings.Repeat("n", 2000)
	written := 0
	for ; ; written++ {
		big.ID = fmt.Sprint("row ", written)
		if err = s.Create(ctx, big); err != nil {
			break
		}
		if written > 10_000 {
			return errors.New("the limit has no effect")
		}
	}
	fmt.Fprintln(os.Stderr, "the error:", err)
	for i := range written {
		if _, err := s.Grant(ctx, fmt.Sprint("row ", i)); err != nil {
			return fmt.Errorf("row %d was acknowledged and is gone: %w", i, err)
		}
	}
	fmt.Println(written)
	return s.Close()
}

func TestFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	out, err := child(t, "fill", dir).Output()
	require.NoError(t, err)
	var written int
	_, err = fmt.Sscan(string(out), &written)
	require.NoError(t, err)
	require.NotZero(t, written)
	s := open(t, dir) // with room again
	list, err := s.Grants(t.Context(), authserver.Selector{ClientID: "c"}, grant("").CreatedAt, 0)
	require.NoError(t, err)
	assert.Len(t, list, written)
	assert.NoError(t, s.Create(t.Context(), grant("one more")))
}

func openChild(dir string) error {
	if err := dropPrivileges(); err != nil {
		return err
	}
	_, err := boltstore.Open(dir)
	if err == nil {
		return errors.New("it opened")
	}
	fmt.Println(err)
	return nil
}

func TestReadOnlyDirectory(t *testing.T) {
	above := t.TempDir()
	for _, path := range []string{filepath.Dir(above), above} { // so that the child can get there
		require.NoError(t, os.Chmod(path, 0o755))
	}
	dir := filepath.Join(above, "data")
	require.NoError(t, os.Mkdir(dir, 0o555))
	out, err := child(t, "open", dir).Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "permission denied")
	assert.Contains(t, string(out), filepath.Join(dir, "refresh.keys"))
}

func child(t *testing.T, name, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name+" "+dir)
	cmd.Stderr = os.Stderr
	return cmd
}
