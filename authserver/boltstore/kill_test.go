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

var kills = flag.Int("kills", 12, "how many times TestKilledServerLosesNoGrant kills the server")

const processEnv = "BOLTSTORE_TEST_PROCESS"

// TestMain lets the test binary be one of the processes that tests start.
func TestMain(m *testing.M) {
	processes := map[string]func(dir string) error{"serve": serveProcess, "fill": fillProcess, "open": openProcess}
	if name, dir, ok := strings.Cut(os.Getenv(processEnv), " "); ok {
		if err := processes[name](dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serveProcess is a server on a directory. It prints its address and serves until it is killed.
func serveProcess(dir string) error {
	s, err := boltstore.Open(dir)
	if err != nil {
		return err
	}
	cfg := authserver.NewConfig(issuer)
	cfg.Store, cfg.RefreshKeys, cfg.RefreshGrace = s, s.RefreshKeys(), time.Minute
	cfg.Resources = map[string][]string{"api1": {"api1"}}
	cfg.Clients = []authserver.Client{
		{ID: "app", GrantTypes: []string{"refresh_token"}, Scopes: []string{"api1", "offline_access"}},
	}
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

func startServer(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), processEnv+"=serve "+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // if the test has ended early
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the database opens after every kill")
	return cmd, strings.TrimSpace(line)
}

// TestKilledServerLosesNoGrant kills a real server process at random moments while clients refresh. Each client retries
// with the token that it saved last. In the end every grant exists once, at its client's generation. The default is a
// short run; -kills 200 is a long one.
func TestKilledServerLosesNoGrant(t *testing.T) {
	const clients = 4
	dir := t.TempDir()
	s, err := boltstore.Open(dir)
	require.NoError(t, err)
	srv := newServer(t, s, nil)
	tokens := make([]string, clients)
	for i := range tokens {
		tokens[i] = issueRefreshToken(t, srv, "user")
	}
	require.NoError(t, s.Close())

	var mu sync.Mutex // guards address
	cmd, address := startServer(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	counts := make([]int, clients)
	refreshed := make(chan int, 1000) // clients that got a new token; what does not fit is dropped
	failed := make(chan struct{}, clients)
	nextRefresh := func() int {
		select {
		case i := <-refreshed:
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
					continue // killed, or not serving yet: retry with the same token
				}
				if next == tokens[i] {
					t.Errorf("client %d got its own token back", i)
					failed <- struct{}{}
					return
				}
				tokens[i] = next
				counts[i]++
				select {
				case refreshed <- i:
				default:
				}
			}
		})
	}
	for kill := range *kills {
		if kill%2 == 0 { // kill this server while it works, however slow the machine is; the next one perhaps earlier
			for len(refreshed) > 0 {
				<-refreshed
			}
			nextRefresh()
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // a random moment, not a wait for something
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		restarted, a := startServer(t, dir)
		mu.Lock()
		cmd, address = restarted, a
		mu.Unlock()
	}
	for seen := map[int]bool{}; len(seen) < clients; {
		seen[nextRefresh()] = true
	}
	cancel()
	wg.Wait()
	for i := range tokens { // after this refresh no answer is outstanding
		next, err := post(address, tokens[i])
		require.NoError(t, err, "client %d", i)
		tokens[i] = next
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	s = open(t, dir)
	list, err := s.Grants(t.Context(), authserver.Selector{Subject: "user"}, time.Now(), 0)
	require.NoError(t, err)
	assert.Len(t, list, clients, "no grant lost, none duplicated")
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

var errLost = errors.New("the grant was lost")

// post refreshes over the network. Unless the error is errLost, the outcome is unknown.
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

// fillProcess creates grants until the file may not grow any more, and checks that each one that was acknowledged
// exists.
func fillProcess(dir string) error {
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
			return fmt.Errorf("row %d was acknowledged and is missing: %w", i, err)
		}
	}
	fmt.Println(written)
	return s.Close()
}

func TestFullDiskLosesNoGrant(t *testing.T) {
	dir := t.TempDir()
	out, err := command(t, "fill", dir).Output()
	require.NoError(t, err)
	var written int
	_, err = fmt.Sscan(string(out), &written)
	require.NoError(t, err)
	require.NotZero(t, written)
	s := open(t, dir) // without the limit
	list, err := s.Grants(t.Context(), authserver.Selector{ClientID: "c"}, grant("").CreatedAt, 0)
	require.NoError(t, err)
	assert.Len(t, list, written)
	assert.NoError(t, s.Create(t.Context(), grant("one more")))
}

func openProcess(dir string) error {
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
	for _, path := range []string{filepath.Dir(above), above} { // so that another user can reach it
		require.NoError(t, os.Chmod(path, 0o755))
	}
	dir := filepath.Join(above, "data")
	require.NoError(t, os.Mkdir(dir, 0o555))
	out, err := command(t, "open", dir).Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "permission denied")
	assert.Contains(t, string(out), filepath.Join(dir, "refresh.keys"))
}

func command(t *testing.T, name, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), processEnv+"="+name+" "+dir)
	cmd.Stderr = os.Stderr
	return cmd
}
