package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/peerbench/harness"
)

// The test binary is the server and the flooder, too.
func TestMain(m *testing.M) {
	harness.Main(serve)
	os.Exit(m.Run())
}

// One window of every case in both worlds: known tokens are let through and forged ones are not, or there is an error.
func TestRun(t *testing.T) {
	b := &bench{windows: 1, window: 20 * time.Millisecond, rate: 1000, clients: 4, processors: 2}
	for _, mode := range []string{inProcess, overHTTP} {
		found, err := b.run(mode)
		require.NoError(t, err, mode)
		var out strings.Builder
		found.write(&out)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, 4+len(cases(2)), out.String())
		for _, line := range lines[2:] {
			assert.Equal(t, 12, strings.Count(line, "|"), line)
		}
		assert.NotContains(t, out.String(), "NaN")
		for i, c := range cases(2) {
			row := found.rows[i]
			assert.Equal(t, c.name, row.name)
			assert.Len(t, row.p99, 1, row.name)
			assert.Len(t, row.busy, 20, row.name, "every cached token is counted")
			if c.burn == 0 {
				assert.Positive(t, row.refused[0], row.name)
			}
		}
	}
}

// However late its goroutines come to their turn on a busy machine, a flood is one.
func TestSpawn(t *testing.T) {
	var calls atomic.Int64
	spawn(3, func() error { calls.Add(1); return errors.New("once is enough") })()
	assert.EqualValues(t, 3, calls.Load())
}

// A flood of tokens that are not refused is no flood.
func TestNotRefused(t *testing.T) {
	s, err := (&bench{clients: 1, processors: 1}).open(overHTTP, 0)
	require.NoError(t, err)
	defer s.close()
	known, err := s.server.Ask("known")
	require.NoError(t, err)
	s.how = fmt.Sprintf("flood 1 %s %s", s.server.Addr, known)
	stop, err := s.disturb()
	require.NoError(t, err)
	_, err = harness.Probe(s.clients, 1000, 20*time.Millisecond)
	require.NoError(t, err)
	_, err = stop()
	assert.Error(t, err)
}
