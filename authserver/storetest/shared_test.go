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

// shared is a store that another process has, in the smallest form: every method is a call over the network.
type shared struct {
	addr string

	mu sync.Mutex
	c  *rpc.Client
}

// connected returns the connection, a new one if the last one broke.
func (s *shared) connected() (*rpc.Client, error) {
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

// call asks once and no second time: whether a step was taken whose answer was lost is for the client's retry to find out.
func (s *shared) call(ctx context.Context, method string, in, out any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := s.connected()
	if err != nil {
		return err
	}
	err = c.Call("Keeper."+method, in, out)
	switch said := rpc.ServerError(""); {
	case err == nil:
		return nil
	case !errors.As(err, &said): // it broke
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

func (s *shared) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		return nil
	}
	defer func() { s.c = nil }()
	return s.c.Close()
}

// Args are those of all methods.
type Args struct {
	Grant      authserver.Grant
	Step       authserver.Step
	Sel        authserver.Selector
	Text       string
	Now, Other time.Time
	Limit      int
}

func (s *shared) Create(ctx context.Context, g authserver.Grant) error {
	return s.call(ctx, "Create", Args{Grant: g}, new(int))
}

func (s *shared) Grant(ctx context.Context, id string) (g authserver.Grant, err error) {
	err = s.call(ctx, "Grant", Args{Text: id}, &g)
	return g, err
}

func (s *shared) Advance(ctx context.Context, step authserver.Step) error {
	return s.call(ctx, "Advance", Args{Step: step}, new(int))
}

func (s *shared) Grants(ctx context.Context, sel authserver.Selector, now time.Time, limit int) (list []authserver.Grant, err error) {
	err = s.call(ctx, "Grants", Args{Sel: sel, Now: now, Limit: limit}, &list)
	return list, err
}

func (s *shared) Revoke(ctx context.Context, sel authserver.Selector, reason string, now time.Time) (n int, err error) {
	err = s.call(ctx, "Revoke", Args{Sel: sel, Text: reason, Now: now}, &n)
	return n, err
}

func (s *shared) Revoked(ctx context.Context, since time.Time, after string, now time.Time, limit int) (list []authserver.Revocation, err error) {
	err = s.call(ctx, "Revoked", Args{Other: since, Text: after, Now: now, Limit: limit}, &list)
	return list, err
}

func (s *shared) Once(ctx context.Context, key string, now, until time.Time) error {
	return s.call(ctx, "Once", Args{Text: key, Now: now, Other: until}, new(int))
}

func (s *shared) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = s.call(ctx, "Sweep", Args{Now: now, Limit: limit}, &n)
	return n, err
}

// Keeper has the store; its methods are what net/rpc asks for.
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

// keep serves a store to all who connect, and returns where.
func keep(t *testing.T, s authserver.Store) (addr string) {
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

func share(t *testing.T, addr string) authserver.Store {
	t.Helper()
	s := &shared{addr: addr}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newMemory(t *testing.T) string { return keep(t, authserver.NewMemoryStore()) }

// The memory store keeps the contract when it is shared: in all its parts.

func TestShared(t *testing.T) {
	storetest.Run(t, func(t *testing.T) authserver.Store { return share(t, newMemory(t)) })
}

func TestNodes(t *testing.T) { storetest.RunNodes(t, newMemory, share) }

func TestOutage(t *testing.T) {
	addr := newMemory(t)
	line := storetest.NewLine(t, addr)
	storetest.RunOutage(t, line, share(t, line.Addr()), share(t, addr))
}
