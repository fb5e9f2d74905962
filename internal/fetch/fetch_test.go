package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/internal/fetch"
)

const maxBody = 1000

// server answers in this process and keeps what it was asked.
type server struct {
	http.Handler
	asked []*http.Request
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, req)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

func client(h http.HandlerFunc, change ...func(*fetch.Config)) (*fetch.Client, *server) {
	s := &server{Handler: h}
	cfg := fetch.Config{Client: &http.Client{Transport: s}, Timeout: 5 * time.Second, MaxBody: maxBody, MaxRedirects: 3}
	for _, f := range change {
		f(&cfg)
	}
	return fetch.NewClient(cfg), s
}

func TestGet(t *testing.T) {
	c, s := client(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		_, _ = w.Write([]byte("hello"))
	})
	header := http.Header{"Accept": {"text/plain"}}
	res, err := c.Get(t.Context(), "https://a.example/x?y=z", header)
	require.NoError(t, err)
	assert.Equal(t, 200, res.Status)
	assert.Equal(t, `"1"`, res.Header.Get("ETag"))
	assert.Equal(t, "hello", string(res.Body))
	require.Len(t, s.asked, 1)
	assert.Equal(t, "https://a.example/x?y=z", s.asked[0].URL.String())
	assert.Equal(t, http.Header{"Accept": {"text/plain"}, "User-Agent": {"bearergate"}}, s.asked[0].Header)
	assert.Equal(t, http.Header{"Accept": {"text/plain"}}, header, "the caller's header is not changed")

	_, err = c.Get(t.Context(), "https://a.example/", nil)
	assert.NoError(t, err)
	_, err = c.Get(t.Context(), "://", nil)
	assert.EqualError(t, err, "not a URL")
}

func TestGetBoundsTheBody(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := z.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for _, row := range []struct {
		name string
		h    http.HandlerFunc
		says string
	}{
		{"the largest", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxBody)) }, ""},
		{"one byte more", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxBody+1)) }, "more than 1000 bytes"},
		{"a Content-Length that is too much", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "67108864")
		}, "the answer has 67108864 bytes, more than 1000"},
		{"an error page that is too much", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = w.Write(make([]byte, maxBody+1))
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := client(row.h)
			res, err := c.Get(t.Context(), "https://a.example", nil)
			if row.says != "" {
				assert.ErrorContains(t, err, row.says)
				assert.Nil(t, res)
				return
			}
			require.NoError(t, err)
			if res.Status == 503 {
				assert.Empty(t, res.Body)
			}
		})
	}
	t.Run("a compression bomb", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", strconv.Itoa(bomb.Len()))
			_, _ = w.Write(bomb.Bytes())
		}))
		defer srv.Close()
		c := fetch.NewClient(fetch.Config{Timeout: 5 * time.Second, MaxBody: 10_000})
		defer c.Close()
		_, err := c.Get(t.Context(), srv.URL, nil)
		assert.EqualError(t, err, "the answer has more than 10000 bytes")
	})
}

func TestGetBoundsTheTime(t *testing.T) {
	hang := func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
	synctest.Test(t, func(t *testing.T) {
		c, _ := client(hang)
		began := time.Now()
		_, err := c.Get(t.Context(), "https://a.example/?S3CRET", nil)
		assert.EqualError(t, err, "no answer within 5s")
		assert.Equal(t, 5*time.Second, time.Since(began))
		assert.NotErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = c.Get(ctx, "https://a.example/?S3CRET", nil)
		require.Error(t, err)
		assert.NotErrorIs(t, err, context.Canceled)
		assert.NotContains(t, err.Error(), "S3CRET")
	})
}

var errDown = errors.New("connection refused")

type down struct{}

func (down) RoundTrip(*http.Request) (*http.Response, error) { return nil, errDown }

func TestGetErrorsHoldNoAddress(t *testing.T) {
	c := fetch.NewClient(fetch.Config{Client: &http.Client{Transport: down{}}, Timeout: time.Second, MaxBody: 1})
	_, err := c.Get(t.Context(), "https://a.example/?S3CRET", nil)
	assert.ErrorIs(t, err, errDown)
	assert.Equal(t, errDown.Error(), err.Error())
}

func TestGetRedirects(t *testing.T) {
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/end" {
				return
			}
			w.Header().Set("Location", location)
			w.WriteHeader(302)
		}
	}
	insecure := func(cfg *fetch.Config) { cfg.AllowInsecureHTTP = true }
	for _, row := range []struct {
		name, from, location string
		change               func(*fetch.Config)
		says                 string
	}{
		{"within an origin", "https://a.example/?S3CRET", "/end", nil, ""},
		{"to another origin", "https://a.example/?S3CRET", "https://b.example/end", nil, ""},
		{"in a circle", "https://a.example/?S3CRET", "/?S3CRET", nil, "more than 3 redirects"},
		{"to http", "https://a.example/", "http://a.example/end?S3CRET", nil, "redirect to http://a.example/end: http on a host that is not loopback"},
		{"to http on this machine", "https://a.example/", "http://localhost/end", nil, "redirect to http://localhost/end: from https to http"},
		{"to http, insecure", "https://a.example/", "http://a.example/end", insecure, "from https to http"},
		{"from http to http, insecure", "http://a.example/", "http://b.example/end", insecure, ""},
		{"from loopback to https", "http://127.0.0.1/", "https://b.example/end", nil, ""},
		{"to a file", "https://a.example/", "file:///etc/passwd", nil, `redirect to file:///etc/passwd: the scheme is "file", not https`},
		{"with a password", "https://a.example/", "https://user:S3CRET@b.example/end", nil, "redirect to https://b.example/end: the URL has a user or a password"},
		{"to what is not a URL", "https://a.example/", "https://%zz/S3CRET", nil, "invalid URL escape"},
	} {
		t.Run(row.name, func(t *testing.T) {
			change := func(*fetch.Config) {}
			if row.change != nil {
				change = row.change
			}
			c, s := client(to(row.location), change)
			res, err := c.Get(t.Context(), row.from, http.Header{"X-Own": {"1"}})
			if row.says == "" {
				require.NoError(t, err)
				assert.Equal(t, 200, res.Status)
				assert.Len(t, s.asked, 2)
			} else {
				assert.ErrorContains(t, err, row.says)
				if !strings.Contains(row.name, "not a URL") {
					assert.NotContains(t, err.Error(), "S3CRET")
				}
			}
			for _, req := range s.asked {
				assert.Empty(t, req.Header.Values("Referer"), req.URL)
				assert.Equal(t, "bearergate", req.Header.Get("User-Agent"))
			}
		})
	}
	t.Run("to what is not a URL and is long", func(t *testing.T) {
		c, _ := client(to("https://%zz/" + strings.Repeat("a", 10_000)))
		_, err := c.Get(t.Context(), "https://a.example/", nil)
		require.Error(t, err)
		assert.Less(t, len(err.Error()), 1000)
	})
	t.Run("none is followed", func(t *testing.T) {
		c, s := client(to("/end"), func(cfg *fetch.Config) { cfg.MaxRedirects = 0 })
		res, err := c.Get(t.Context(), "https://a.example/", nil)
		require.NoError(t, err)
		assert.Equal(t, 302, res.Status)
		assert.Len(t, s.asked, 1)
	})
}

func TestCheckJSON(t *testing.T) {
	for _, row := range []struct {
		status      int
		contentType string
		says        string
	}{
		{200, "application/json", ""},
		{200, "application/json; charset=utf-8", ""},
		{200, "APPLICATION/JSON", ""},
		{200, "application/jwk-set+json", ""},
		{200, "text/json", ""},
		{200, "text/plain", ""},
		{200, "application/octet-stream", ""},
		{200, "binary/octet-stream", ""},
		{200, "", ""},
		{200, "text/html; charset=utf-8", `the Content-Type is "text/html", not JSON`},
		{200, "application/xml", "not JSON"},
		{200, ";;;", "the Content-Type cannot be read"},
		{200, "text/" + strings.Repeat("a", 1000), "…"},
		{204, "application/json", "status 204"},
		{404, "application/json", "status 404"},
	} {
		res := &fetch.Response{Status: row.status, Header: http.Header{"Content-Type": {row.contentType}}}
		err := res.CheckJSON()
		if row.says == "" {
			assert.NoError(t, err, row.contentType)
		} else {
			assert.ErrorContains(t, err, row.says)
			assert.Less(t, len(err.Error()), 200)
		}
	}
}
