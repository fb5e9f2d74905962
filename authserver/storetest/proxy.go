package storetest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy is a TCP proxy between a store and its server, with which a test simulates network failures. It listens on a
// loopback port and forwards every connection. Its methods may be called concurrently. It is a [Network].
type Proxy struct {
	target   string
	listener net.Listener
	drop     atomic.Bool
	wg       sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// NewProxy returns a working proxy to a server (host:port), which closes when the test ends. Open the store through it
// afterwards, so that t.Cleanup closes the store first.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	p := &Proxy{target: target, listener: l, conns: map[net.Conn]bool{}}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.forward(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut(true)
		p.wg.Wait()
	})
	return p
}

// Addr returns the address (IP:port) to connect to instead of the server.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut closes all connections and accepts no new ones. With false it accepts new ones again.
func (p *Proxy) Cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

// DropAnswers forwards requests to the server, but closes the connection when the server answers. With false it
// delivers answers again.
func (p *Proxy) DropAnswers(drop bool) { p.drop.Store(drop) }

// forward serves one connection.
func (p *Proxy) forward(client net.Conn) {
	server, err := net.Dial("tcp", p.target) //nolint:noctx // the waiting store has a timeout
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	if p.cut {
		_, _ = client.Close(), server.Close()
	}
	p.mu.Unlock()
	p.wg.Go(func() {
		_, _ = io.Copy(server, client)
		p.disconnect(server)
	})
	_, _ = io.Copy(writer(func(b []byte) (int, error) {
		if p.drop.Load() {
			return 0, io.ErrClosedPipe
		}
		return client.Write(b)
	}), server)
	p.disconnect(client)
}

func (p *Proxy) disconnect(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
