package storetest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Line is a network between a store and its server that a test can break: it listens on a port of this machine and carries what comes to the
// server. All methods may be called concurrently.
type Line struct {
	target   string
	listener net.Listener
	lose     atomic.Bool
	wg       sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// NewLine returns a line to a server (host:port), whole, that goes when the test ends. The store at its end is to be opened after it, so that
// it is closed before.
func NewLine(t testing.TB, target string) *Line {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	n := &Line{target: target, listener: l, conns: map[net.Conn]bool{}}
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

// Addr is where to connect to instead of the server: an IP address with a port.
func (n *Line) Addr() string { return n.listener.Addr().String() }

// Cut breaks all connections and lets no new ones through, or lets new ones through again.
func (n *Line) Cut(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	if cut {
		for c := range n.conns {
			_ = c.Close()
		}
	}
}

// LoseAnswers carries to the server what is said, and breaks the connection when the server says something; or lets answers through again.
func (n *Line) LoseAnswers(lose bool) { n.lose.Store(lose) }

// carry is one connection.
func (n *Line) carry(a net.Conn) {
	b, err := net.Dial("tcp", n.target) //nolint:noctx // the store that waits has a timeout
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
	n.wg.Go(func() {
		_, _ = io.Copy(b, a)
		n.hangUp(b)
	})
	_, _ = io.Copy(writer(func(p []byte) (int, error) {
		if n.lose.Load() {
			return 0, io.ErrClosedPipe
		}
		return a.Write(p)
	}), b)
	n.hangUp(a)
}

func (n *Line) hangUp(c net.Conn) {
	_ = c.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
