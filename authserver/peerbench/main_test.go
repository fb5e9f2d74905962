package main

import (
	"os"
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

// In one short round every server refreshes grants, its answers pass inspect, and it has its row.
func TestRound(t *testing.T) {
	b := &bench{rounds: 1, connections: 2, chunk: 20 * time.Millisecond, warm: 10 * time.Millisecond}
	require.NoError(t, b.run())
	var out strings.Builder
	b.write(&out)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4+len(makers), out.String())
	for _, line := range lines[2:] {
		assert.Equal(t, 8, strings.Count(line, "|"), line)
		assert.NotContains(t, line, "NaN")
	}
	for name, r := range b.results {
		assert.Contains(t, out.String(), "| "+name+" |")
		assert.NotEmpty(t, r.runs, name)
		for _, one := range r.runs {
			assert.Positive(t, one.Rate, name)
			assert.Positive(t, one.P99, name)
		}
		if name != ours {
			assert.Len(t, r.rate, 1, name)
		}
	}
}

// Only rotations count: a used refresh token gets nothing from a peer, and from ours, which still answers within its
// grace, never the same token again.
func TestRotation(t *testing.T) {
	for name := range makers {
		t.Run(name, func(t *testing.T) {
			s, err := (&bench{connections: 1}).newSide(name)
			require.NoError(t, err)
			defer s.close()
			c := s.chains[0]
			spent := string(c.token)
			require.NoError(t, c.next())
			require.NoError(t, c.inspect(s.keys))
			renewed := string(c.token)
			c.token = []byte(spent)
			if name == ours {
				require.NoError(t, c.next())
				assert.Equal(t, renewed, string(c.token), "the grace: the successor again")
				return
			}
			assert.Error(t, c.next())
		})
	}
}

// inspect notices a server that does less.
func TestInspect(t *testing.T) {
	s, err := (&bench{connections: 1}).newSide(ours)
	require.NoError(t, err)
	defer s.close()
	other, err := (&bench{connections: 1}).newSide("ory/fosite")
	require.NoError(t, err)
	defer other.close()
	c := s.chains[0]
	require.NoError(t, c.next())
	require.NoError(t, c.inspect(s.keys))
	good := string(c.answer)

	assert.Error(t, c.inspect(other.keys), "keys of another server")
	for _, name := range []string{"access_token", "id_token", "refresh_token", "expires_in"} {
		c.answer = []byte(strings.Replace(good, `"`+name+`"`, `"x"`, 1))
		assert.Error(t, c.inspect(s.keys), "no %s", name)
	}
}
