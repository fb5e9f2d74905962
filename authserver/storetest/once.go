package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bearergate/bearergate/authserver"
)

func once(t *testing.T, s authserver.Store) {
	until := epoch.Add(time.Minute)
	wantError(t, "first use", s.Once(t.Context(), "key", epoch, until), nil)
	wantError(t, "second use", s.Once(t.Context(), "key", epoch.Add(time.Second), until), authserver.ErrConflict)
	wantError(t, "another key", s.Once(t.Context(), "other", epoch, until), nil)
	wantError(t, "just before the end", s.Once(t.Context(), "key", until.Add(-time.Millisecond), until),
		authserver.ErrConflict)
	wantError(t, "after the end", s.Once(t.Context(), "key", until, until.Add(time.Minute)), nil)
}

func concurrentOnce(t *testing.T, s authserver.Store) {
	n := runConcurrently(t, func(int) error { return s.Once(t.Context(), "key", epoch, epoch.Add(time.Minute)) })
	if n != 1 {
		t.Fatalf("%d uses succeeded, want one", n)
	}
}

// anyOnceKeys checks keys of Once that are empty, long, or no UTF-8.
func anyOnceKeys(t *testing.T, s authserver.Store) {
	until := epoch.Add(time.Minute)
	long := strings.Repeat("x", 100_000)
	keys := []string{"", "\x00", specialText("key"), "\xff\xfe", long, long + "x", long[:32_768], long[:300], long[:255]}
	for i, key := range keys {
		wantError(t, fmt.Sprint("first use of key ", i), s.Once(t.Context(), key, epoch, until), nil)
	}
	for i, key := range keys {
		wantError(t, fmt.Sprint("second use of key ", i), s.Once(t.Context(), key, epoch, until), authserver.ErrConflict)
	}
	total := 0
	for n := 1; n > 0; total += n {
		var err error
		n, err = s.Sweep(t.Context(), until, 4)
		wantError(t, "Sweep", err, nil)
	}
	if total != len(keys) {
		t.Fatalf("Sweep deleted %d keys of %d", total, len(keys))
	}
	wantError(t, "a third use, of a swept key", s.Once(t.Context(), long, until, until.Add(time.Minute)), nil)
}
