package authclient

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// requestBody is a request's body and the way to have it a second time.
type requestBody struct {
	first io.ReadCloser
	again func() (io.ReadCloser, error) // nil: it can be sent once only
}

// bodyOf returns req's body. It reads it into memory only when its length is known and at most limit: a body is never
// kept silently. On an error it has closed the body.
func bodyOf(req *http.Request, limit int64) (requestBody, error) {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		return requestBody{first: req.Body, again: func() (io.ReadCloser, error) { return req.Body, nil }}, nil
	case req.GetBody != nil:
		return requestBody{first: req.Body, again: req.GetBody}, nil
	case req.ContentLength <= 0 || req.ContentLength > limit:
		return requestBody{first: req.Body}, nil
	}
	data := make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, data)
	if err == nil {
		// One byte more than was said is as wrong as one less; net/http says so too.
		var more [1]byte
		if n, _ := io.ReadFull(req.Body, more[:]); n > 0 {
			err = fmt.Errorf("longer than its ContentLength %d", req.ContentLength)
		}
	}
	if closeErr := req.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return requestBody{}, fmt.Errorf("authclient: request body: %w", err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	first, _ := open()
	return requestBody{first: first, again: open}, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// discard makes resp's connection ready for another request, unless too much is left to read.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
