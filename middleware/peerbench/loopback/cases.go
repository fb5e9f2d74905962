package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/peerbench"
	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// The cases of Bearergate, and the reference.
const (
	noAuth      = "no authentication"
	handler     = "Bearergate, Handler"
	handlerFunc = "Bearergate, HandlerFunc"
	uncached    = "Bearergate, every token new"
)

// build returns the API of a case.
type build func(ctx context.Context, target peerbench.Target, next peerbench.Handler) (http.Handler, error)

// cases returns all cases by name.
func cases() map[string]build {
	all := map[string]build{
		noAuth: func(_ context.Context, _ peerbench.Target, next peerbench.Handler) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next(w, r, "alice") }), nil
		},
		handler:     peerbench.Variant{}.New,
		handlerFunc: peerbench.Variant{Func: true}.New,
		uncached:    peerbench.Variant{Configure: peerbench.Uncached}.New,
	}
	for _, peer := range peerbench.Peers() {
		if peer.Name != "Bearergate" {
			all[peer.Name] = peer.New
		}
	}
	return all
}

// serve runs a server process. role is an algorithm and the name of a case. It answers two questions, each with a list: tokens N
// and forged N.
func serve(role string) error {
	alg, name, _ := strings.Cut(role, " ")
	make, known := cases()[name]
	if !known {
		return fmt.Errorf("no such case: %q", name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	iss := authtest.NewIssuer(nil, authtest.Algorithm(alg), authtest.ExpiresIn(time.Hour))
	h, err := make(ctx, peerbench.TargetOf(iss, alg), func(w http.ResponseWriter, _ *http.Request, subject string) {
		if subject != "alice" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "hello")
	})
	if err != nil {
		return err
	}
	return harness.Serve(h, func(question string) (string, error) {
		what, count, _ := strings.Cut(question, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			return "", err
		}
		list := []string{}
		for range n {
			token := peerbench.Typical(iss, alg)
			if what == "forged" {
				token = peerbench.Forged(token)
			}
			list = append(list, token)
		}
		text, err := json.Marshal(list)
		return string(text), err
	})
}

// A side is a server process and the client's connections to it.
type side struct {
	name    string
	server  *harness.Server
	conns   []*harness.Conn
	clients []func() error
}

// open starts the server of a case, and sends it every token once and one forged token.
func (b *bench) open(name string) (_ *side, err error) {
	s := &side{name: name}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.server, err = harness.Start(b.alg+" "+name, 0); err != nil {
		return nil, err
	}
	good, err := s.requests(fmt.Sprintf("tokens %d", b.tokens))
	if err != nil {
		return nil, err
	}
	forged, err := s.requests("forged 1")
	if err != nil {
		return nil, err
	}
	for i := range b.connections {
		conn, err := harness.Dial(s.server.Addr)
		if err != nil {
			return nil, err
		}
		s.conns = append(s.conns, conn)
		at := i * len(good) / b.connections
		s.clients = append(s.clients, func() error {
			at = (at + 1) % len(good)
			return expect(conn, good[at], http.StatusOK)
		})
	}
	for _, request := range good {
		if err := expect(s.conns[0], request, http.StatusOK); err != nil {
			return nil, err
		}
	}
	want := http.StatusUnauthorized
	if name == noAuth {
		want = http.StatusOK
	}
	return s, expect(s.conns[0], forged[0], want)
}

// requests returns a request for each token in the answer to question.
func (s *side) requests(question string) (list [][]byte, err error) {
	text, err := s.server.Ask(question)
	if err != nil {
		return nil, err
	}
	var tokens []string
	if err := json.Unmarshal([]byte(text), &tokens); err != nil {
		return nil, err
	}
	for _, token := range tokens {
		list = append(list, fmt.Appendf(nil, "GET /orders HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer %s\r\n\r\n", token))
	}
	return list, nil
}

func expect(conn *harness.Conn, request []byte, want int) error {
	status, _, err := conn.Do(request)
	if err == nil && status != want {
		err = fmt.Errorf("answered with %d, not %d", status, want)
	}
	return err
}

func (s *side) close() {
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	if s.server != nil {
		_ = s.server.Close()
	}
}
