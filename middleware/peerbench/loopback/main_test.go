package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// The test binary is the server processes, too.
func TestMain(m *testing.M) {
	harness.Main(serve)
	os.Exit(m.Run())
}

// One short round, with every library: good tokens pass and forged ones don't, or open and Load return an error.
func TestRound(t *testing.T) {
	b := &bench{rounds: 1, turns: 1, connections: 2, tokens: 4, chunk: 2 * time.Millisecond, alg: "ES256", peers: regexp.MustCompile(".")}
	require.NoError(t, b.run())
	var out strings.Builder
	b.write(&out)
	cases, ratios, found := strings.Cut(strings.TrimSpace(out.String()), "\n\n| requests/s of")
	require.True(t, found, out.String())
	lines := strings.Split(cases, "\n")
	require.Len(t, lines, 4+1+len(b.names), cases)
	assert.Contains(t, lines[4], noAuth)
	for _, line := range lines[2:] {
		assert.Equal(t, 8, strings.Count(line, "|"), line)
	}
	for _, name := range append(b.names, noAuth) {
		assert.Contains(t, cases, "| "+name+" |")
		assert.NotEmpty(t, b.results[name].runs, name)
	}
	assert.Len(t, strings.Split(ratios, "\n"), 2+3)
	assert.NotContains(t, out.String(), "NaN")
}

// A server that lets everything through, or nothing, is not measured.
func TestExpect(t *testing.T) {
	b := &bench{connections: 1, tokens: 1, alg: "ES256"}
	s, err := b.open(handler)
	require.NoError(t, err)
	defer s.close()
	forged, err := s.requests("forged 1")
	require.NoError(t, err)
	good, err := s.requests("tokens 1")
	require.NoError(t, err)
	assert.NoError(t, expect(s.conns[0], good[0], 200))
	assert.Error(t, expect(s.conns[0], forged[0], 200))
	assert.Error(t, expect(s.conns[0], good[0], 401))
}
