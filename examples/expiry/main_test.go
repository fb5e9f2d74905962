package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// When each Api1 first says 401, what it says, and how often the caller refreshes in the time of the picture.
func TestTheStory(t *testing.T) {
	all, err := simulate(t.Context())
	require.NoError(t, err)
	for i, want := range []struct {
		name      string
		lastOK    time.Duration // with the first token
		refusal   time.Duration // the first; -1: never
		refreshes int
		challenge string
	}{
		{"300 s, ASP.NET profile", 360 * time.Second, 370 * time.Second, 1, `Bearer error="invalid_token", error_description="The token expired at '06/16/2021 05:16:01'"`},
		{"60 s", 110 * time.Second, 120 * time.Second, 3, `error="invalid_token"`},
		{"0 s", 50 * time.Second, 60 * time.Second, 6, `error="invalid_token"`},
		{"no exp, required", -1, 0, 0, `error="invalid_token"`},
		{"no exp, not required", duration, -1, 0, ""},
	} {
		lastOK, refusal, refreshes, challenge := time.Duration(-1), time.Duration(-1), 0, ""
		for _, c := range all[i].calls {
			if c.status == http.StatusOK && refusal < 0 {
				lastOK = c.at
			}
			if c.status != http.StatusOK && refusal < 0 {
				refusal, challenge = c.at, c.challenge
			}
			if c.refreshed {
				refreshes++
			}
		}
		assert.Equal(t, want.name, all[i].name)
		assert.Equal(t, want.lastOK, lastOK, want.name)
		assert.Equal(t, want.refusal, refusal, want.name)
		assert.Equal(t, want.refreshes, refreshes, want.name)
		assert.Contains(t, challenge, want.challenge, want.name)
	}
}

func TestTheTableIsAligned(t *testing.T) {
	all, err := simulate(t.Context())
	require.NoError(t, err)
	var plain, coloured bytes.Buffer
	require.NoError(t, printTable(&plain, all, false))
	require.NoError(t, printTable(&coloured, all, true))
	assert.NotContains(t, plain.String(), "\x1b")
	assert.Contains(t, coloured.String(), "\x1b[33m200 expired")
	lines := strings.Split(plain.String(), "\n")
	header := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "  time") })
	for i, line := range lines[header+1 : header+1+len(all[0].calls)] {
		for lane := range all {
			column := strings.Index(lines[header]+"  ", "  "+all[lane].name+"  ") + 2
			cell := string([]rune(line)[column : column+3])
			assert.Equal(t, strconv.Itoa(all[lane].calls[i].status), cell, "%s: %s", all[lane].name, line)
		}
	}
}

// The README's picture is what this program draws. To renew it: go run ./examples/expiry -svg examples/expiry/expiry.svg
func TestTheREADMEPictureIsCurrent(t *testing.T) {
	all, err := simulate(t.Context())
	require.NoError(t, err)
	var svg bytes.Buffer
	draw(&svg, all)
	picture, err := os.ReadFile("expiry.svg")
	require.NoError(t, err)
	assert.Equal(t, svg.String(), string(picture))

	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), "(examples/expiry/expiry.svg)")

	for decoder := xml.NewDecoder(&svg); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "the picture is well-formed XML")
	}
}
