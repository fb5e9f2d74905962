package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The README shows this very program.
func TestREADMEShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(readme), "```go\npackage main")
	require.True(t, found, "the README holds a Go program")
	shown, _, _ = strings.Cut(shown, "```")
	_, want, _ := strings.Cut(string(program), "package main")
	assert.Equal(t, want, shown)
	assert.LessOrEqual(t, strings.Count(string(readme), "\n"), 200, "lines of README")
}
