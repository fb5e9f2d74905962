package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

const flooderRole = "flooder"

// A flooder is the process that sends forged tokens over HTTP.
type flooder struct {
	refused, wrong atomic.Int64
	stop           func()
}

func (f *flooder) serve() error {
	return harness.Serve(http.NotFoundHandler(), f.answer) // nobody asks it by HTTP
}

// answer carries out the questions flood N ADDRESS TOKEN and stop, whose answer is how many tokens were rejected.
func (f *flooder) answer(question string) (string, error) {
	words := strings.Fields(question)
	switch {
	case len(words) == 4 && words[0] == "flood":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return "", err
		}
		return "flooding", f.flood(n, words[2], bearer(words[3]))
	case question == "stop":
		f.stop()
		if n := f.wrong.Load(); n > 0 {
			return "", fmt.Errorf("%d forged tokens were not rejected", n)
		}
		return strconv.FormatInt(f.refused.Swap(0), 10), nil
	}
	return "", fmt.Errorf("no such question: %q", question)
}

func (f *flooder) flood(clients int, addr string, request []byte) error {
	conns := make(chan *harness.Conn, clients)
	closeAll := func() {
		for range len(conns) {
			_ = (<-conns).Close()
		}
	}
	for range clients {
		conn, err := harness.Dial(addr)
		if err != nil {
			closeAll()
			return err
		}
		conns <- conn
	}
	end := spawn(clients, func() error {
		conn := <-conns
		status, _, err := conn.Do(request)
		conns <- conn
		if err != nil || status != http.StatusUnauthorized {
			f.wrong.Add(1)
			return err
		}
		f.refused.Add(1)
		return nil
	})
	f.stop = func() { end(); closeAll() }
	return nil
}

func bearer(token string) []byte {
	return fmt.Appendf(nil, "GET /orders HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer %s\r\n\r\n", token)
}
