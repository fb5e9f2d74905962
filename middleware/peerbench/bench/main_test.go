package main

import (
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One round with every library: good tokens pass, or there is an error; who lets bad ones through has no row and is named.
func TestRun(t *testing.T) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	var out strings.Builder
	b := &bench{ctx: t.Context(), rounds: 1, count: 5, keep: 100, chunk: 50 * time.Microsecond, peers: regexp.MustCompile("."), out: &out}
	require.NoError(t, b.run())
	rows := map[string]int{}
	for _, table := range strings.Split(out.String(), "### ")[1:] {
		title, text, _ := strings.Cut(table, "\n")
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| |") {
				rows[title]++
				assert.Contains(t, []int{3, 5}, strings.Count(line, "|"), line)
			}
		}
	}
	assert.Equal(t, map[string]int{
		"A good token, RS256": 11, "A good token, ES256": 11, "A good token, EdDSA": 11,
		"No token": 10, "8 KiB of garbage": 10, "Expired": 10, "A bad signature": 10,
		"Another issuer":   10,
		"Another audience": 9,                                 // zitadel/oidc has no option for it
		"One unknown kid":  9, "512 made-up kids in turns": 9, // jwtauth is given one key
		"A cached token": 4,
	}, rows, out.String())
	assert.Regexp(t, `### Memory for a cached token\n\n[1-9]\d* bytes a token`, out.String())
	assert.Contains(t, out.String(), "zitadel/oidc is left out: Another audience is accepted")
	assert.NotContains(t, out.String(), "NaN")
}
