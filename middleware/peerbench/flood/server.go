package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearergate/bearergate/middleware/authtest"
	"github.com/bearergate/bearergate/middleware/peerbench"
	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// serve runs the process of a server, whose role is GOMAXPROCS and the number of a case, or the process that floods it.
func serve(role string) error {
	if role == flooderRole {
		return new(flooder).serve()
	}
	processors, number, _ := strings.Cut(role, " ")
	p, err1 := strconv.Atoi(processors)
	i, err2 := strconv.Atoi(number)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := newServer(ctx, cases(p)[i])
	if err != nil {
		return err
	}
	return harness.Serve(s.api, s.answer)
}

// A server is the process of one API.
type server struct {
	testCase
	api           http.Handler
	known, forged string
	refused       atomic.Int64
	stop          func()
}

func newServer(ctx context.Context, c testCase) (*server, error) {
	iss := authtest.NewIssuer(nil, authtest.ExpiresIn(time.Hour))
	h, err := c.make(ctx, peerbench.TargetOf(iss, "ES256"), func(w http.ResponseWriter, _ *http.Request, subject string) {
		if subject != "alice" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	if err != nil {
		return nil, err
	}
	s := &server{testCase: c, api: h, known: peerbench.Typical(iss, "ES256")}
	s.forged = peerbench.Forged(s.known)
	return s, nil
}

// answer carries out the questions known and forged (a token each), bare (an address), flood N, burn, and stop, whose answer is
// how many forged tokens were rejected in process.
func (s *server) answer(question string) (string, error) {
	name, argument, _ := strings.Cut(question, " ")
	switch name {
	case "known":
		return s.known, nil
	case "forged":
		return s.forged, nil
	case "bare":
		return s.bare()
	case "flood":
		n, err := strconv.Atoi(argument)
		if err != nil {
			return "", err
		}
		s.refused.Store(0)
		s.stop = spawn(n, s.calling(s.forged, http.StatusUnauthorized, &s.refused))
		return "flooding", nil
	case "burn":
		var err error
		s.stop, err = burn(s.burn)
		return "burning", err
	case "stop":
		s.stop()
		// An error has ended a goroutine of the flood without a message; the same call shows it.
		return strconv.FormatInt(s.refused.Load(), 10), s.calling(s.forged, http.StatusUnauthorized, new(atomic.Int64))()
	}
	return "", fmt.Errorf("no such question: %q", question)
}

// calling presents a token without HTTP and counts the expected answers.
func (s *server) calling(token string, want int, count *atomic.Int64) func() error {
	return func() error {
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := &writer{h: http.Header{}, status: http.StatusOK}
		if s.api.ServeHTTP(w, r); w.status != want {
			return fmt.Errorf("answered with %d, not %d", w.status, want)
		}
		count.Add(1)
		return nil
	}
}

// bare listens without HTTP. Each byte is a request with the cached token. The answer is a byte if the token is accepted; if not,
// the connection is closed. It ends with the process.
func (s *server) bare() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				call := s.calling(s.known, http.StatusOK, new(atomic.Int64))
				for one := make([]byte, 1); ; {
					if _, err := io.ReadFull(conn, one); err != nil || call() != nil {
						return
					}
					if _, err := conn.Write(one); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), nil
}

// writer keeps the status.
type writer struct {
	h      http.Header
	status int
}

func (w *writer) Header() http.Header         { return w.h }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(status int)      { w.status = status }
