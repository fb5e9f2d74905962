package authclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// The test binary is its own second process: with this in the environment it does the named thing and ends.
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
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed or its parent is gone
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	callers        = 4
	callsPerCaller = 25
	usesPerToken   = 40
)

// callInParallel calls the API at base, with the session in the file path. All calls must succeed.
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
			for range callsPerCaller {
				status, err := do(ctx, rt, http.MethodPost, base+"/orders", strings.NewReader("{}"))
				if err != nil || status != 200 {
					errs <- fmt.Errorf("status %d, %w", status, err)
					return
				}
			}
			errs <- nil
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// Two processes on one file, against a server without any grace: a refresh token that is presented twice ends the session.
// Each access token is good for so many calls.
func TestTwoProcessesOnOneFile(t *testing.T) {
	var mu sync.Mutex
	generation, uses, presented, refused := 1, 0, 0, 0
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer at-%d", generation) || uses == usesPerToken {
			rw.Header().Set("WWW-Authenticate", invalidToken)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		uses++
	})
	mux.HandleFunc("POST /token", func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		presented++
		if r.PostFormValue("refresh_token") != fmt.Sprintf("rt-%d", generation) {
			refused++
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(rw, `{"error":"invalid_grant"}`)
			return
		}
		generation++
		uses = 0
		_, _ = fmt.Fprintf(rw, `{"access_token":"at-%d","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-%[1]d"}`, generation)
	})
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

	calls := 2 * callers * callsPerCaller
	assert.Zero(t, refused, "no refresh token was presented twice")
	assert.Equal(t, calls/usesPerToken-1, presented, "each token was used up before the next was fetched")
	stored, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("at-%d", generation), stored.AccessToken)
}

// process is this test binary, doing what args say.
func process(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), processEnv+"="+strings.Join(args, " "))
	return cmd
}
