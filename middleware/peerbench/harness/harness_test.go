package harness_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// The test binary is the server process, too.
func TestMain(m *testing.M) {
	harness.Main(func(role string) error {
		return harness.Serve(http.HandlerFunc(answer), func(question string) (string, error) { return role + " " + question, nil })
	})
	os.Exit(m.Run())
}

// answer answers with the status, the length and the form that the path asks for.
func answer(w http.ResponseWriter, r *http.Request) {
	var status, length int
	var form string
	_, _ = fmt.Sscanf(r.URL.Path, "/%d/%d/%s", &status, &length, &form)
	w.WriteHeader(status)
	if form == "chunked" {
		w.(http.Flusher).Flush()
	}
	_, _ = io.WriteString(w, strings.Repeat("x", length))
}

func get(path string) []byte { return []byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n") }

func TestConn(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(answer))
	defer srv.Close()
	c, err := harness.Dial(srv.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	for _, row := range []struct {
		path   string
		status int
		length int
	}{
		{"/200/5/known", 200, 5},
		{"/204/0/none", 204, 0},
		{"/401/0/known", 401, 0},
		{"/200/3/chunked", 200, 3},
		{"/200/0/chunked", 200, 0},
		{"/200/70000/known", 200, 70000},
		{"/400/7/known", 400, 7},
	} {
		status, body, err := c.Do(get(row.path))
		require.NoError(t, err, row.path)
		assert.Equal(t, row.status, status, row.path)
		assert.Equal(t, strings.Repeat("x", row.length), string(body), row.path)
	}
}

// A server process answers requests and questions, and ends with who started it.
func TestServer(t *testing.T) {
	s, err := harness.Start("one", 0)
	require.NoError(t, err)
	c, err := harness.Dial(s.Addr)
	require.NoError(t, err)
	defer c.Close()
	status, _, err := c.Do(get("/200/1/known"))
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	text, err := s.Ask("what")
	require.NoError(t, err)
	assert.Equal(t, "one what", text)
	used, err := s.CPU()
	if !errors.Is(err, errors.ErrUnsupported) {
		require.NoError(t, err)
		assert.Positive(t, used)
	}
	require.NoError(t, s.Close())
	_, _, err = c.Do(get("/200/1/known"))
	assert.Error(t, err, "nothing is left of it")
}

// However late a client comes to its turn on a busy machine, it sends a request: there is always something to be told.
func TestLoad(t *testing.T) {
	s, err := harness.Start("one", 0)
	require.NoError(t, err)
	defer s.Close()
	sent := make([]int, 3)
	var clients []func() error
	for i := range sent {
		clients = append(clients, func() error { sent[i]++; return nil })
	}
	run, err := s.Load(clients, 0)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	assert.Equal(t, []int{1, 1, 1}, sent)
	assert.Positive(t, run.Rate)
	assert.Positive(t, run.P99)

	broken := errors.New("broken")
	_, err = s.Load(append(clients, func() error { return broken }), 0)
	assert.ErrorIs(t, err, broken)
}

func TestQuartile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	assert.Equal(t, []float64{2, 3, 4}, []float64{harness.Quartile(values, 1), harness.Quartile(values, 2), harness.Quartile(values, 3)})
	assert.Equal(t, []float64{4, 1, 3, 2}, values, "untouched")
	assert.True(t, math.IsNaN(harness.Quartile(nil, 2)))
	assert.Equal(t, "**3** (2–4)", harness.Ratio(values))
	sorted := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	assert.Equal(t, []int{1, 6, 10, 10}, []int{harness.At(sorted, 0), harness.At(sorted, 0.5), harness.At(sorted, 0.99), harness.At(sorted, 1)})
}
