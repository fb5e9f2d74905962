package storetest_test

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
	"github.com/bearergate/bearergate/authserver/storetest"
)

// remoteStore is a store in another process, in its smallest form: every method is a call over the network.
type remoteStore struct {
	addr string

	mu sync.Mutex
	c  *rpc.Client
}

// connected returns the connection, a new one if the last one failed.
func (s *remoteStore) connected() (*rpc.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return nil, err
		}
		s.c = rpc.NewClient(conn)
	}
	return s.c, nil
}

// call never retries: only the client's retry can find out whether a step took effect whose answer was lost.
func (s *remoteStore) call(ctx context.Context, method string, in, out any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := s.connected()
	if err != nil {
		return err
	}
	err = c.Call("Keeper."+method, in, out)
	switch remote := rpc.ServerError(""); {
	case err == nil:
		return nil
	case !errors.As(err, &remote): // the connection failed
		_ = s.Close()
		return err
	}
	for _, known := range []error{authserver.ErrNotFound, authserver.ErrConflict} {
		if strings.HasPrefix(err.Error(), known.Error()) {
			return known
		}
	}
	return err
}

func (s *remoteStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		return nil
	}
	defer func() { s.c = nil }()
	return s.c.Close()
}

// Args are the arguments of all methods.
type Args struct {
	Grant      authserver.Grant
	Step       authserver.Step
	Sel        authserver.Selector
	Text       string
	Now, Other time.Time
	Limit      int
}

func (s *remoteStore) Create(ctx context.Context, g authserver.Grant) error {
	return s.call(ctx, "Create", Args{Grant: g}, new(int))
}

func (s *remoteStore) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.call(ctx, "Grant", Args{Text: id}, &g)
	return g, err
}

func (s *remoteStore) Advance(ctx context.Context, step authserver.Step) error {
	return s.call(ctx, "Advance", Args{Step: step}, new(int))
}

func (s *remoteStore) Grants(
	ctx context.Context, sel authserver.Selector, now time.Time, limit int,
) (list []authserver.Grant, err error) {
	err = s.call(ctx, "Grants", Args{Sel: sel, Now: now, Limit: limit}, &list)
	return list, err
}

func (s *remoteStore) Revoke(
	ctx context.Context, sel authserver.Selector, reason string, now time.Time,
) (n int, err error) {
	err = s.call(ctx, "Revoke", Args{Sel: sel, Text: reason, Now: now}, &n)
	return n, err
}

func (s *remoteStore) Revoked(
	ctx context.Context, since time.Time, after string, now time.Time, limit int,
) (list []authserver.Revocation, err error) {
	err = s.call(ctx, "Revoked", Args{Other: since, Text: after, Now: now, Limit: limit}, &list)
	return list, err
}

func (s *remoteStore) Once(ctx context.Context, key string, now, until time.Time) error {
	return s.call(ctx, "Once", Args{Text: key, Now: now, Other: until}, new(int))
}

func (s *remoteStore) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = s.call(ctx, "Sweep", Args{Now: now, Limit: limit}, &n)
	return n, err
}

// Keeper serves a store; its methods have the form that net/rpc needs.
type Keeper struct{ store authserver.Store }

func (k Keeper) Create(in Args, _ *int) error { return k.store.Create(context.Background(), in.Grant) }

func (k Keeper) Grant(in Args, out *authserver.Grant) (err error) {
	*out, err = k.store.Grant(context.Background(), in.Text)
	return err
}

func (k Keeper) Advance(in Args, _ *int) error { return k.store.Advance(context.Background(), in.Step) }

func (k Keeper) Grants(in Args, out *[]authserver.Grant) (err error) {
	*out, err = k.store.Grants(context.Background(), in.Sel, in.Now, in.Limit)
	return err
}

func (k Keeper) Revoke(in Args, out *int) (err error) {
	*out, err = k.store.Revoke(context.Background(), in.Sel, in.Text, in.Now)
	return err
}

func (k Keeper) Revoked(in Args, out *[]authserver.Revocation) (err error) {
	*out, err = k.store.Revoked(context.Background(), in.Other, in.Text, in.Now, in.Limit)
	return err
}

func (k Keeper) Once(in Args, _ *int) error {
	return k.store.Once(context.Background(), in.Text, in.Now, in.Other)
}

func (k Keeper) Sweep(in Args, out *int) (err error) {
	*out, err = k.store.Sweep(context.Background(), in.Now, in.Limit)
	return err
}

// serveStore serves a store to every connection, and returns its address.
func serveStore(t *testing.T, s authserver.Store) (addr string) {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(Keeper{s}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(conn)
		}
	}()
	return l.Addr().String()
}

func openRemote(t *testing.T, addr string) authserver.Store {
	t.Helper()
	s := &remoteStore{addr: addr}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newMemory(t *testing.T) string { return serveStore(t, authserver.NewMemoryStore()) }

// The memory store fulfils the contract when processes share it.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) authserver.Store { return openRemote(t, newMemory(t)) })
}

func TestNodes(t *testing.T) { storetest.RunNodes(t, newMemory, openRemote) }

func TestOutage(t *testing.T) {
	addr := newMemory(t)
	proxy := storetest.NewProxy(t, addr)
	storetest.RunOutage(t, proxy, openRemote(t, proxy.Addr()), openRemote(t, addr))
}
