package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A request that was sent is never sent to another node, since the first may have carried it out.
func TestFrontSendsRequestOnce(t *testing.T) {
	var reached atomic.Int64
	works := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	defer works.Close()
	dies := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached.Add(1)
		panic(http.ErrAbortHandler)
	}))
	defer dies.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	unreachable := "http://" + l.Addr().String()
	require.NoError(t, l.Close())

	for _, row := range []struct {
		name    string
		nodes   []string
		answers map[int]bool
		reached int64 // by 10 requests
	}{
		{"a working node", []string{works.URL}, map[int]bool{200: true}, 10},
		{"a node that does not listen is skipped", []string{unreachable, works.URL}, map[int]bool{200: true}, 10},
		{"a node that dies with the request", []string{dies.URL}, map[int]bool{502: true}, 10},
		{"a node that dies and a working one", []string{dies.URL, works.URL}, map[int]bool{200: true, 502: true}, 10},
		{"no node listens", []string{unreachable}, map[int]bool{502: true}, 0},
		{"no node has started", []string{""}, map[int]bool{502: true}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFront(len(row.nodes), slog.New(slog.DiscardHandler))
			for i, address := range row.nodes {
				if address != "" {
					require.NoError(t, f.set(i, address))
				}
			}
			front := httptest.NewServer(f)
			defer front.Close()
			reached.Store(0)
			answers := map[int]bool{}
			for range 10 {
				res, err := http.Post(front.URL+"/token", "text/plain", strings.NewReader("the form"))
				require.NoError(t, err)
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				answers[res.StatusCode] = true
				if res.StatusCode == http.StatusOK {
					assert.Equal(t, "the form", string(body))
				}
			}
			assert.Equal(t, row.answers, answers)
			assert.Equal(t, row.reached, reached.Load())
		})
	}
}
