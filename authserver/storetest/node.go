package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bearergate/bearergate/authserver"
)

const (
	// nodeEnv is set where the test binary is a node.
	nodeEnv = "BEARERGATE_STORETEST_NODE"
	// announcement begins the line on stdout that says where a node listens.
	announcement = "storetest: this node serves at "
	burstPath    = "/burst"
)

// burst is what a node is asked for besides tokens: to present a refresh token so many times at once.
type burst struct {
	Token string
	Times int
}

// serveNode is all that a node does: it reads its configuration from stdin, and serves until stdin ends, which is when the process that
// started it is done or gone.
func serveNode(t *testing.T, open func(t *testing.T, config string) authserver.Store) {
	in := json.NewDecoder(os.Stdin)
	var config string
	if err := in.Decode(&config); err != nil {
		t.Fatalf("storetest: the configuration of a node: %v", err)
	}
	h := &http.Server{} //nolint:gosec // its clients are its parent's
	var serving atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		if !serving.Load() { // it may hang
			os.Exit(1)
		}
		_ = h.Close()
	}()
	srv, err := serverOver(open(t, config))
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Ready(t.Context()); err != nil {
		t.Fatalf("Ready: %v", err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST "+tokenPath, srv)
	mux.HandleFunc("POST "+burstPath, func(w http.ResponseWriter, r *http.Request) {
		var b burst
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(b.submit(srv))
	})
	h.Handler = mux
	serving.Store(true)
	fmt.Println(announcement + l.Addr().String())
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) { // also when it was closed before
		t.Fatal(err)
	}
}

// submit returns how often the server gave which answer: a status and a refresh token.
func (b burst) submit(srv http.Handler) map[string]int {
	all := make([]answer, b.Times)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range all {
		wg.Go(func() {
			<-start
			all[i] = submit(srv, b.Token)
		})
	}
	close(start)
	wg.Wait()
	count := map[string]int{}
	for _, a := range all {
		count[fmt.Sprint(a.Status, " ", a.RefreshToken)]++
	}
	return count
}
