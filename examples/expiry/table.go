package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// printTable writes a row for each call and a column for each lane, and under it what the lanes show.
func printTable(w io.Writer, lanes []*lane, coloured bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "An access token that lives for %.0f s, five Api1s that differ in their clock skew or in what they require,\n", lifetime.Seconds())
	fmt.Fprintf(&b, "a call every %.0f s. After a 401 the caller refreshes (↻) and has a new token for the next call.\n\n", interval.Seconds())

	fmt.Fprintf(&b, "%6s", "time")
	for _, l := range lanes {
		fmt.Fprintf(&b, "  %-*s", width(l), l.name)
	}
	b.WriteString("\n")
	for i := range lanes[0].calls {
		fmt.Fprintf(&b, "%4.0f s", lanes[0].calls[i].at.Seconds())
		for _, l := range lanes {
			c := l.calls[i]
			cell := fmt.Sprint(c.status)
			switch {
			case c.refreshed:
				cell += " ↻"
			case c.status == http.StatusOK && l.pastExpiry(c):
				cell += " expired"
			}
			padded := fmt.Sprintf("%-*s", width(l), cell)
			if coloured {
				padded = colour(c.status, strings.HasSuffix(cell, "expired")) + padded + "\x1b[0m"
			}
			b.WriteString("  " + padded)
		}
		b.WriteString("\n")
	}

	b.WriteString("\nThe challenge of the first 401:\n")
	for _, l := range lanes {
		for _, c := range l.calls {
			if c.challenge != "" {
				fmt.Fprintf(&b, "  %-22s %3.0f s  WWW-Authenticate: %s\n", l.name, c.at.Seconds(), c.challenge)
				break
			}
		}
	}
	b.WriteString("\nWhat it shows:\n")
	for _, l := range lanes {
		fmt.Fprintf(&b, "  %-22s %s\n", l.name, l.summary)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func width(l *lane) int { return max(len(l.name), len("200 expired")) }

// pastExpiry reports whether the token that was used at c had expired by then.
func (l *lane) pastExpiry(c call) bool {
	if l.endless {
		return false
	}
	issued := l.tokens[0]
	for _, t := range l.tokens {
		if t < c.at {
			issued = t
		}
	}
	return c.at >= issued+lifetime
}

func colour(status int, expired bool) string {
	switch {
	case status != http.StatusOK:
		return "\x1b[31m" // red
	case expired:
		return "\x1b[33m" // yellow: accepted, although it has expired
	default:
		return "\x1b[32m" // green
	}
}
