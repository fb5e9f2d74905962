package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// A Conn is a keep-alive connection for requests that exist as bytes. It costs the client as little as possible, so that one
// processor for the client is enough for one of the server. It must be used by one goroutine.
type Conn struct {
	c    net.Conn
	r    *bufio.Reader
	body []byte
}

// Dial connects to a server.
func Dial(addr string) (*Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{c: c, r: bufio.NewReaderSize(c, 16<<10)}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.c.Close() }

// errForm reports an answer that net/http would not write.
var errForm = errors.New("harness: an answer that is not HTTP/1.1")

// Do sends a whole HTTP/1.1 request and reads its answer. The body is valid until the next call.
func (c *Conn) Do(request []byte) (status int, body []byte, err error) {
	if err := c.c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return 0, nil, err
	}
	if _, err := c.c.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 200") {
		return 0, nil, errors.Join(errForm, err)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errForm, err)
	}
	length, err := c.header(status)
	if err != nil {
		return 0, nil, err
	}
	c.body = c.body[:0]
	if length != chunked {
		return status, c.body, c.take(length)
	}
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", errForm, err)
		}
		if err := c.take(int(size)); err != nil {
			return 0, nil, err
		}
		if _, err := c.r.Discard(2); err != nil || size == 0 {
			return status, c.body, err
		}
	}
}

// Bodies without a length in the header.
const (
	chunked = -1
	unknown = -2
)

// header reads to the end of the header and returns the length of the body.
func (c *Conn) header(status int) (length int, err error) {
	length = unknown
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		switch line = bytes.TrimSpace(line); {
		case len(line) == 0 && length == unknown && status == 204:
			return 0, nil
		case len(line) == 0 && length == unknown:
			return 0, fmt.Errorf("%w: no length", errForm)
		case len(line) == 0:
			return length, nil
		case line[0] == 'C' && bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(line[len("Content-Length: "):])); err != nil {
				return 0, fmt.Errorf("%w: %w", errForm, err)
			}
		case line[0] == 'T' && bytes.Equal(line, []byte("Transfer-Encoding: chunked")):
			length = chunked
		}
	}
}

// take appends n bytes to the body.
func (c *Conn) take(n int) error {
	at := len(c.body)
	if need := at + n; need > cap(c.body) {
		c.body = append(make([]byte, 0, 2*need), c.body...)
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.r, c.body[at:])
	return err
}
