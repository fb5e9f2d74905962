package authclient

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// requestBody is a request's body, and the way to get it a second time.
type requestBody struct {
	first io.ReadCloser
	again func() (io.ReadCloser, error) // nil: it can be sent only once
}

// bodyOf returns req's body. It reads it into memory only if its length is known and at most limit. On an error it has
// closed the body.
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
		// One byte too many is as wrong as one too few, as in net/http.
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

// retryable reports whether req may be sent twice.
func (c *Config) retryable(req *http.Request, body requestBody) bool {
	return body.again != nil && (c.RetryNonIdempotent || idempotent(req))
}

// idempotent reports whether req's method is idempotent (RFC 9110, Section 9.2.2), or its header says so: the names are
// net/http's own convention.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case http.MethodPut, http.MethodDelete, http.MethodTrace:
		return true
	}
	return readOnly(req.Method) || len(req.Header["Idempotency-Key"]) > 0 || len(req.Header["X-Idempotency-Key"]) > 0
}

// readOnly reports whether method changes nothing on the server, so that a retry is harmless whatever the 401 meant.
func readOnly(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// discard makes resp's connection reusable, unless too much is left to read.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
