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
	// nodeEnv is set in the environment of a node.
	nodeEnv = "BEARERGATE_STORETEST_NODE"
	// announcement begins the line on stdout that contains a node's address.
	announcement = "storetest: this node serves at "
	burstPath    = "/burst"
)

// burst asks a node to present a refresh token several times at once.
type burst struct {
	Token string
	Times int
}

// serveNode runs a node: it reads its configuration from stdin and serves until stdin ends, because its parent is done
// or has died.
func serveNode(t *testing.T, open func(t *testing.T, config string) authserver.Store) {
	in := json.NewDecoder(os.Stdin)
	var config string
	if err := in.Decode(&config); err != nil {
		t.Fatalf("storetest: the configuration of a node: %v", err)
	}
	h := &http.Server{} //nolint:gosec // its only client is its parent
	var serving atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		if !serving.Load() { // open may hang
			os.Exit(1)
		}
		_ = h.Close()
	}()
	srv, err := newServer(open(t, config))
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
		_ = json.NewEncoder(w).Encode(b.refresh(srv))
	})
	h.Handler = mux
	serving.Store(true)
	fmt.Println(announcement + l.Addr().String())
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) { // also if it was closed before
		t.Fatal(err)
	}
}

// refresh returns how many times the server gave each answer, a status and a refresh token.
func (b burst) refresh(srv http.Handler) map[string]int {
	all := make([]answer, b.Times)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range all {
		wg.Go(func() {
			<-start
			all[i] = refresh(srv, b.Token)
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
