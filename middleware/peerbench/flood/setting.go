package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// How to measure: see the command's documentation.
const (
	inProcess = "process"
	overHTTP  = "http"
)

// probers is the number of connections for cached tokens.
const probers = 16

// A setting is one case, measured in one way, with the clients that present the cached token.
type setting struct {
	server, flooder *harness.Server
	clients         []func() error
	conns           []io.Closer
	who             *harness.Server // disturbs
	how             string          // it is asked to
}

// open starts the processes of case number i.
func (b *bench) open(mode string, i int) (_ *setting, err error) {
	s := &setting{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	role := fmt.Sprintf("%d %d", b.processors, i)
	if b.processors == 1 {
		s.server, err = harness.Start(role, 0)
	} else {
		s.server, err = harness.StartFree(role, b.processors)
	}
	if err != nil {
		return nil, err
	}
	connect := s.connectBare
	if mode == overHTTP {
		connect = s.connectHTTP
	}
	if err := connect(); err != nil {
		return nil, err
	}
	switch {
	case cases(b.processors)[i].burn > 0:
		s.who, s.how = s.server, "burn"
	case mode == inProcess:
		s.who, s.how = s.server, fmt.Sprintf("flood %d", b.clients)
	default:
		forged, err := s.server.Ask("forged")
		if err != nil {
			return nil, err
		}
		if s.flooder, err = harness.Start(flooderRole, 1); err != nil {
			return nil, err
		}
		s.who, s.how = s.flooder, fmt.Sprintf("flood %d %s %s", b.clients, s.server.Addr, forged)
	}
	return s, nil
}

func (s *setting) connectBare() error {
	addr, err := s.server.Ask("bare")
	if err != nil {
		return err
	}
	for range probers {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, conn)
		one := []byte("?")
		s.clients = append(s.clients, func() error {
			if _, err := conn.Write(one); err != nil {
				return err
			}
			_, err := io.ReadFull(conn, one)
			return err
		})
	}
	return nil
}

func (s *setting) connectHTTP() error {
	known, err := s.server.Ask("known")
	if err != nil {
		return err
	}
	request := bearer(known)
	for range probers {
		conn, err := harness.Dial(s.server.Addr)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, conn)
		s.clients = append(s.clients, func() error {
			status, _, err := conn.Do(request)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("a cached token was answered with %d", status)
			}
			return err
		})
	}
	return nil
}

// disturb starts the load, stop ends it and returns how many forged tokens were rejected.
func (s *setting) disturb() (stop func() (float64, error), err error) {
	_, err = s.who.Ask(s.how)
	return func() (float64, error) {
		text, err := s.who.Ask("stop")
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(text, 64)
	}, err
}

func (s *setting) close() {
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	for _, p := range []*harness.Server{s.server, s.flooder} {
		if p != nil {
			_ = p.Close()
		}
	}
}
