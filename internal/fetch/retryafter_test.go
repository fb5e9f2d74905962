package fetch_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bearergate/bearergate/internal/fetch"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{" 120 ", "", 2 * time.Minute},
		{"-1", "", 0},
		{"+1", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"2147483647", "", 2147483647 * time.Second},
		{"4294967295", "", 4294967295 * time.Second},
		{"4294967296", "", 0},
		{"99999999999999999999", "", 0},
		{"Tue, 01 Jan 2030 00:00:30 GMT", "", 30 * time.Second},
		{"Tue, 01 Jan 2030 00:00:30 GMT", "Tue, 01 Jan 2030 00:00:10 GMT", 20 * time.Second},
		{"Tue, 01 Jan 2030 00:00:30 GMT", "today", 30 * time.Second},
		{"Mon, 31 Dec 2029 23:59:59 GMT", "", 0},
		{"Tue, 01 Jan 2030 00:00:30 GMT", "Tue, 01 Jan 2030 00:01:00 GMT", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", 1<<63 - 1}, // as far away as a Duration goes
	} {
		h := http.Header{}
		if row.value != "" {
			h.Set("Retry-After", row.value)
		}
		if row.date != "" {
			h.Set("Date", row.date)
		}
		assert.Equal(t, row.want, fetch.RetryAfter(h, now), row.value)
	}
}
