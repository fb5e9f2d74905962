package program_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/examples/internal/program"
)

// memory is a listener without a network, whose time is that of a bubble.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { m.once.Do(func() { close(m.closed) }); return nil }
func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.conns <- there:
		return here, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// served is a server whose /slow takes as long as the query says.
type served struct {
	t      *testing.T
	client *http.Client
	stop   context.CancelFunc
	ended  chan error
}

func serve(t *testing.T, drain time.Duration) *served {
	ctx, stop := context.WithCancel(t.Context())
	listener := newMemory()
	transport := &http.Transport{DialContext: listener.dial}
	s := &served{t: t, client: &http.Client{Transport: transport}, stop: stop, ended: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.RawQuery)
		require.NoError(t, err)
		time.Sleep(d)
		_, _ = io.WriteString(w, "done")
	})
	go func() {
		s.ended <- program.ServeDraining(ctx, listener, mux, slog.New(slog.DiscardHandler), drain)
		transport.CloseIdleConnections()
	}()
	return s
}

// get returns the status, or 0 if there is no answer.
func (s *served) get(path string) int { return s.ask(http.MethodGet, path) }

func (s *served) ask(method, path string) int {
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://server"+path, nil)
	if err != nil {
		return 0
	}
	res, err := s.client.Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		return 0
	}
	return res.StatusCode
}

// slowly begins a request that takes a while.
func (s *served) slowly(d time.Duration) <-chan int {
	status := make(chan int, 1)
	go func() { status <- s.get("/slow?" + d.String()) }()
	synctest.Wait()
	return status
}

func TestARequestUnderWayIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 0)
		began := time.Now()
		slow := s.slowly(3 * time.Second)
		s.stop()
		synctest.Wait()
		assert.Zero(t, s.get("/readyz"), "nothing new is accepted")
		assert.Equal(t, 200, <-slow)
		assert.NoError(t, <-s.ended)
		assert.Less(t, time.Since(began), 5*time.Second)
	})
}

func TestARequestThatTakesTooLongIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 0)
		slow := s.slowly(10 * time.Second)
		began := time.Now()
		s.stop()
		assert.NoError(t, <-s.ended)
		assert.Equal(t, 4*time.Second, time.Since(began))
		assert.Zero(t, <-slow)
		time.Sleep(10 * time.Second) // the handler ends
	})
}

// With a notice /readyz fails first, and everything else is answered until the notice is over.
func TestNotReadyBeforeNothingIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 10*time.Second)
		assert.Equal(t, 200, s.get("/readyz"))
		assert.Equal(t, 200, s.ask(http.MethodHead, "/readyz"))
		long := s.slowly(12 * time.Second)
		began := time.Now()
		s.stop()
		synctest.Wait()
		assert.Equal(t, 503, s.get("/readyz"))
		assert.Equal(t, 503, s.ask(http.MethodHead, "/readyz"), "as some load balancers ask")
		assert.Equal(t, 200, s.get("/slow?1s"), "a request that came during the notice")
		time.Sleep(10 * time.Second)
		assert.Zero(t, s.get("/slow?1s"))
		assert.Equal(t, 200, <-long, "one that came before")
		assert.NoError(t, <-s.ended)
		assert.LessOrEqual(t, time.Since(began), 14*time.Second)
	})
}

func TestCheckDrain(t *testing.T) {
	for _, good := range []time.Duration{0, time.Second, time.Minute} {
		assert.NoError(t, program.CheckDrain(good))
	}
	for _, bad := range []time.Duration{-1, time.Minute + 1} {
		var usage *program.UsageError
		require.ErrorAs(t, program.CheckDrain(bad), &usage)
		assert.Equal(t, "drain", usage.Flag)
	}
}
