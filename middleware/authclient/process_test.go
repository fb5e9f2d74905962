package authclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// The test binary is also its own second process: with this variable it does what the value names, and exits.
const processEnv = "AUTHCLIENT_TEST_PROCESS"

func TestMain(m *testing.M) {
	args := strings.Fields(os.Getenv(processEnv))
	if len(args) == 0 {
		os.Exit(m.Run())
	}
	var err error
	switch args[0] {
	case "call":
		err = callInParallel(args[1], args[2])
	case "lock":
		_, err = authclient.NewFileStore(args[1]).Lock(context.Background())
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed or its parent exits
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	callers = 4 // in each process
	rounds  = 25
)

// callInParallel calls the API at base, with the token in the file path. All calls must succeed.
func callInParallel(base, path string) error {
	oauth := &oauth2.Config{ClientID: "cli", Endpoint: oauth2.Endpoint{TokenURL: base + "/token", AuthStyle: oauth2.AuthStyleInParams}}
	cfg := authclient.NewConfig(oauth, base)
	cfg.Store = authclient.NewFileStore(path)
	rt, err := authclient.New(cfg, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	errs := make(chan error, callers)
	for range callers {
		go func() {
			for round := range rounds {
				status, err := do(ctx, rt, http.MethodPost, fmt.Sprintf("%s/rounds/%d", base, round), strings.NewReader("{}"))
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("status %d", status)
				}
				if err != nil {
					errs <- fmt.Errorf("round %d: %w", round, err)
					return
				}
			}
			errs <- nil
		}()
	}
	var all error
	for range callers {
		all = errors.Join(all, <-errs)
	}
	return all
}

// roundsServer is an API and an authorization server. The first request of each round invalidates the access token
// before. The API answers a round when all callers have arrived with the new one. There is no grace period: a refresh
// token that is presented twice ends the grant.
type roundsServer struct {
	mu                  sync.Mutex
	round, arrived      int
	full                chan struct{} // closed when all have arrived
	generation, oldest  int           // of the last access token, and of the oldest valid one
	refreshes, rejected int           // of refresh tokens
}

func (s *roundsServer) call(rw http.ResponseWriter, r *http.Request) {
	round, _ := strconv.Atoi(r.PathValue("round"))
	s.mu.Lock()
	if round != s.round {
		s.round, s.arrived, s.full, s.oldest = round, 0, make(chan struct{}), s.generation+1
	}
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer at-%d", s.generation) || s.generation < s.oldest {
		s.mu.Unlock()
		rw.Header().Set("WWW-Authenticate", invalidToken)
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	full := s.full
	if s.arrived++; s.arrived == 2*callers {
		close(full)
	}
	s.mu.Unlock()
	select {
	case <-full:
	case <-r.Context().Done():
	}
}

func (s *roundsServer) token(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshes++
	if r.PostFormValue("refresh_token") != fmt.Sprintf("rt-%d", s.generation) {
		s.rejected++
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(rw, `{"error":"invalid_grant"}`)
		return
	}
	s.generation++
	_, _ = fmt.Fprintf(rw, `{"access_token":"at-%d","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-%[1]d"}`, s.generation)
}

func TestTwoProcessesOnOneFile(t *testing.T) {
	s := &roundsServer{round: -1, generation: 1}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rounds/{round}", s.call)
	mux.HandleFunc("POST /token", s.token)
	server := httptest.NewServer(mux)
	defer server.Close()

	path := filepath.Join(t.TempDir(), "token.json")
	store := authclient.NewFileStore(path)
	require.NoError(t, store.Save(t.Context(), &oauth2.Token{AccessToken: "at-1", RefreshToken: "rt-1", Expiry: time.Now().Add(time.Hour)}))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			out, err := process(ctx, "call", server.URL, path).CombinedOutput()
			assert.NoError(t, err, "%s", out)
		})
	}
	wg.Wait()

	assert.Zero(t, s.rejected, "no refresh token was presented twice")
	assert.Equal(t, rounds, s.refreshes, "one in each round, by one of the two processes")
	stored, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("at-%d", rounds+1), stored.AccessToken)
}

// process returns a command that runs this test binary with args.
func process(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), processEnv+"="+strings.Join(args, " "))
	return cmd
}
