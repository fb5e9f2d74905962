package authclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authclient"
)

// once is a body without GetBody. It counts its Close calls.
type once struct {
	io.Reader
	closed int
}

func (o *once) Close() error { o.closed++; return nil }

func onceIf(yes bool) io.Reader {
	if yes {
		return &once{Reader: strings.NewReader("{}")}
	}
	return nil
}

func TestBodyIsRetried(t *testing.T) {
	const order = `{"order":1}`
	for _, row := range []struct {
		name   string
		body   func() io.Reader
		length int64 // set by the caller, unless 0
		mod    func(*authclient.Config)
		method string
		header string
		status int
		bodies []string // that the API saw
	}{
		{"none", func() io.Reader { return nil }, 0, nil, "POST", "", 200, []string{"", ""}},
		{"http.NoBody", func() io.Reader { return http.NoBody }, 0, nil, "POST", "", 200, []string{"", ""}},
		{"with GetBody", func() io.Reader { return strings.NewReader(order) }, 0, nil, "POST", "", 200, []string{order, order}},
		{"without GetBody", func() io.Reader { return &once{Reader: strings.NewReader(order)} }, 0, nil, "POST", "", 401, []string{order}},
		{"without GetBody, of known length, not kept by default", func() io.Reader { return &once{Reader: strings.NewReader(order)} },
			int64(len(order)), nil, "POST", "", 401, []string{order}},
		{"small enough to be kept", func() io.Reader { return &once{Reader: strings.NewReader(order)} },
			int64(len(order)), func(c *authclient.Config) { c.MaxRetryBody = 11 }, "POST", "", 200, []string{order, order}},
		{"a byte too large to be kept", func() io.Reader { return &once{Reader: strings.NewReader(order)} },
			int64(len(order)), func(c *authclient.Config) { c.MaxRetryBody = 10 }, "POST", "", 401, []string{order}},
		{"of unknown length: not kept", func() io.Reader { return &once{Reader: strings.NewReader(order)} },
			-1, func(c *authclient.Config) { c.MaxRetryBody = 1 << 20 }, "POST", "", 401, []string{order}},

		{"POST without RetryNonIdempotent", func() io.Reader { return strings.NewReader(order) }, 0,
			func(c *authclient.Config) { c.RetryNonIdempotent = false }, "POST", "", 401, []string{order}},
		{"PATCH without RetryNonIdempotent", func() io.Reader { return strings.NewReader(order) }, 0,
			func(c *authclient.Config) { c.RetryNonIdempotent = false }, "PATCH", "", 401, []string{order}},
		{"PUT is idempotent", func() io.Reader { return strings.NewReader(order) }, 0,
			func(c *authclient.Config) { c.RetryNonIdempotent = false }, "PUT", "", 200, []string{order, order}},
		{"DELETE is idempotent", func() io.Reader { return nil }, 0,
			func(c *authclient.Config) { c.RetryNonIdempotent = false }, "DELETE", "", 200, []string{"", ""}},
		{"POST with an Idempotency-Key", func() io.Reader { return strings.NewReader(order) }, 0,
			func(c *authclient.Config) { c.RetryNonIdempotent = false }, "POST", "Idempotency-Key", 200, []string{order, order}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				var mods []func(*authclient.Config)
				if row.mod != nil {
					mods = append(mods, row.mod)
				}
				rt := w.transport(t, mods...)
				w.revoke()
				body := row.body()
				req, err := http.NewRequest(row.method, apiURL+"/orders", body)
				require.NoError(t, err)
				if row.length != 0 {
					req.ContentLength = row.length
				}
				if row.header != "" {
					req.Header.Set(row.header, "1")
				}
				resp, err := rt.RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, row.status, resp.StatusCode)
				var bodies []string
				for _, c := range w.calls {
					bodies = append(bodies, c.body)
				}
				assert.Equal(t, row.bodies, bodies)
				if o, ok := body.(*once); ok {
					assert.Positive(t, o.closed, "closed")
				}

				if row.status == 401 {
					assert.Zero(t, w.refreshed(), "no refresh for a request that cannot be retried")
					assert.Equal(t, 200, get(t, rt), "the next request refreshes first")
					assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
				}
			})
		})
	}
}

// A rejected token is not sent again while a refresh is slow.
func TestRejectedTokenIsNotSentDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(func(*http.Request) (*http.Response, error) { time.Sleep(3 * time.Second); return nil, nil })
		rt := w.transport(t, func(c *authclient.Config) { c.Margin = 0 })
		time.Sleep(time.Hour - 4*time.Second)
		w.revoke()
		status, err := do(t.Context(), rt, http.MethodPost, apiURL, onceIf(true))
		require.NoError(t, err)
		require.Equal(t, 401, status)
		assert.Equal(t, 200, get(t, rt))
		assert.Equal(t, []string{"at-1", "at-2"}, w.sent())
	})
}

func TestBodyIsClosedWhenNothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refresh = answers(answer(400, `{"error":"invalid_grant"}`))
		rt := w.transport(t)
		_, err := rt.Refresh(t.Context())
		require.ErrorIs(t, err, authclient.ErrLoginRequired)
		body := &once{Reader: strings.NewReader("{}")}
		_, err = do(t.Context(), rt, http.MethodPost, apiURL, body)
		require.ErrorIs(t, err, authclient.ErrLoginRequired)
		assert.Equal(t, 1, body.closed)
	})
}

func TestBodyWithWrongContentLength(t *testing.T) {
	for _, row := range []struct {
		name string
		body string
	}{{"shorter", "1234567"}, {"longer", "123456789"}} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld()
			rt := w.transport(t, func(c *authclient.Config) { c.MaxRetryBody = 100 })
			body := &once{Reader: strings.NewReader(row.body)}
			req, err := http.NewRequest(http.MethodPost, apiURL, body)
			require.NoError(t, err)
			req.ContentLength = 8
			_, err = rt.RoundTrip(req)
			require.Error(t, err)
			assert.Equal(t, 1, body.closed)
			assert.Zero(t, w.called())
		})
	}
}

func TestGetBodyErrorReturnsThe401(t *testing.T) {
	w := newWorld()
	rt := w.transport(t)
	w.revoke()
	req, err := http.NewRequest(http.MethodPost, apiURL, bytes.NewReader([]byte("{}")))
	require.NoError(t, err)
	req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("the file is gone") }
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 401, resp.StatusCode)
	assert.Equal(t, "rejected", string(body))
}

// drained counts what is read of a body, and records Close.
type drained struct {
	io.Reader
	read   int
	closed bool
}

func (d *drained) Read(p []byte) (int, error) { n, err := d.Reader.Read(p); d.read += n; return n, err }
func (d *drained) Close() error               { d.closed = true; return nil }

func TestDrainOf401IsBounded(t *testing.T) {
	w := newWorld()
	rt := w.transport(t)
	endless := &drained{Reader: rand0{}}
	w.api = func(r *http.Request) *http.Response {
		if r.Header.Get("Authorization") == "Bearer at-1" {
			resp := response(401, "", "WWW-Authenticate", invalidToken)
			resp.Body = endless
			return resp
		}
		return nil
	}
	status, err := tryGet(context.Background(), rt)
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.True(t, endless.closed)
	assert.Equal(t, 64<<10, endless.read)
}

type rand0 struct{}

func (rand0) Read(p []byte) (int, error) { return len(p), nil }
