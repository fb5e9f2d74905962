package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearergate/bearergate/jwks"
)

// RunKeys checks a store of signing keys against the contract of [jwks.KeyStore]. It calls open once for each test.
// open returns an empty store, which it closes with t.Cleanup.
func RunKeys(t *testing.T, open func(t *testing.T) jwks.KeyStore) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, jwks.KeyStore)
	}{
		{"empty at first", keysEmpty},
		{"SaveKeys compares and replaces", keysReplaced},
		{"a state shares no memory with the caller", keysShareNoMemory},
		{"a state may be any bytes", keysAnyBytes},
		{"a state may be long", keysLong},
		{"every state has its own version", keysVersions},
		{"a cancelled context changes nothing", keysCancelled},
		{"one of several saves of a version succeeds", keysConcurrentSaves},
		{"no state is mixed and no change is lost", keysConcurrentChanges},
		{"all Rotators sign with the same key", keysRotators},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func loadKeys(t *testing.T, s jwks.KeyStore) (state []byte, version string) {
	t.Helper()
	state, version, err := s.LoadKeys(t.Context())
	if err != nil {
		t.Fatalf("LoadKeys: %v", err)
	}
	if (version == "") != (len(state) == 0) {
		t.Fatalf("LoadKeys: %d bytes with the version %q", len(state), version)
	}
	return state, version
}

// saveKeys replaces the state and returns the version of the new one.
func saveKeys(t *testing.T, s jwks.KeyStore, state, version string) string {
	t.Helper()
	wantError(t, "SaveKeys", s.SaveKeys(t.Context(), []byte(state), version), nil)
	return wantKeys(t, s, state)
}

// wantKeys fails the test if the store has another state, and returns its version.
func wantKeys(t *testing.T, s jwks.KeyStore, want string) (version string) {
	t.Helper()
	state, version := loadKeys(t, s)
	if string(state) != want {
		t.Fatalf("LoadKeys: got %d bytes %.40q, want %d bytes %.40q", len(state), state, len(want), want)
	}
	return version
}

func keysEmpty(t *testing.T, s jwks.KeyStore) {
	wantKeys(t, s, "")
	for _, version := range []string{"x", "0", "1"} {
		wantError(t, "SaveKeys with a version that never existed", s.SaveKeys(t.Context(), []byte("x"), version),
			jwks.ErrConflict)
	}
	wantKeys(t, s, "")
}

func keysReplaced(t *testing.T, s jwks.KeyStore) {
	one := saveKeys(t, s, "one", "")
	wantError(t, "SaveKeys with the version of no state", s.SaveKeys(t.Context(), []byte("x"), ""), jwks.ErrConflict)
	if wantKeys(t, s, "one") != one {
		t.Fatal("the version changed by itself")
	}
	two := saveKeys(t, s, "two", one)
	for _, version := range []string{"", one, "x", two + "x"} {
		wantError(t, "SaveKeys", s.SaveKeys(t.Context(), []byte("x"), version), jwks.ErrConflict)
	}
	wantKeys(t, s, "two")
	saveKeys(t, s, "three", two)
}

func keysShareNoMemory(t *testing.T, s jwks.KeyStore) {
	mine := []byte("state")
	wantError(t, "SaveKeys", s.SaveKeys(t.Context(), mine, ""), nil)
	clear(mine)
	mine, version := loadKeys(t, s)
	clear(mine)
	if wantKeys(t, s, "state") != version {
		t.Fatal("the version changed by itself")
	}
}

func keysAnyBytes(t *testing.T, s jwks.KeyStore) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	version := ""
	for _, state := range []string{
		string(all), "\x00", "\n", " \t x \r\n", "\xff\xfe\xc0\x80", `\x41`, `'; "$1" {} [[`, "null",
		"\x00\x01\x02 and no end\x00", specialText("state"),
	} {
		version = saveKeys(t, s, state, version)
	}
}

func keysLong(t *testing.T, s jwks.KeyStore) {
	var long bytes.Buffer
	for i := range 64 * 1024 {
		long.WriteByte(byte(i * i >> 7))
	}
	version := saveKeys(t, s, long.String(), "")
	version = saveKeys(t, s, "a short state after a long one", version)
	saveKeys(t, s, long.String()+"x", version)
}

func keysVersions(t *testing.T, s jwks.KeyStore) {
	states := map[string]string{}
	version := ""
	for i := range 20 {
		// The states differ in one byte only, at different places.
		state := strings.Repeat("x", i/2*100) + strconv.Itoa(i%2) + strings.Repeat("x", 1000-i/2*100)
		wantError(t, "SaveKeys with an old version", s.SaveKeys(t.Context(), []byte("x"), version+"x"), jwks.ErrConflict)
		version = saveKeys(t, s, state, version)
		if before, taken := states[version]; taken {
			t.Fatalf("%.40q has the version of %.40q", state, before)
		}
		states[version] = state
	}
	for old := range states {
		if old != version {
			wantError(t, "SaveKeys with an old version", s.SaveKeys(t.Context(), []byte("x"), old), jwks.ErrConflict)
		}
	}
	wantKeys(t, s, states[version])
}

func keysCancelled(t *testing.T, s jwks.KeyStore) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	save := func(version string) {
		t.Helper()
		if err := s.SaveKeys(ctx, []byte("x"), version); err == nil || errors.Is(err, jwks.ErrConflict) {
			t.Fatalf("SaveKeys with a cancelled context: got error %v, want that of the context", err)
		}
	}
	save("")
	wantKeys(t, s, "")
	version := saveKeys(t, s, "one", "")
	save(version)
	if wantKeys(t, s, "one") != version {
		t.Fatal("SaveKeys with a cancelled context changed the version")
	}
	saveKeys(t, s, "two", version)
}

func keysConcurrentSaves(t *testing.T, s jwks.KeyStore) {
	version := ""
	for round := range 5 {
		won := make(chan string, concurrency)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range concurrency {
			wg.Go(func() {
				state := fmt.Sprintf("round %d by %d", round, i)
				<-start
				switch err := s.SaveKeys(t.Context(), []byte(state), version); {
				case err == nil:
					won <- state
				case !errors.Is(err, jwks.ErrConflict):
					t.Errorf("SaveKeys: got error %v, want nil or ErrConflict", err)
				}
			})
		}
		close(start)
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d saves of one version succeeded, want one", len(won))
		}
		version = wantKeys(t, s, <-won)
	}
}

// keysConcurrentChanges lets several nodes count: each one reads the number and saves the next, and retries after a
// conflict. A state read with the version of another, or a save that does not compare, would lose a count.
func keysConcurrentChanges(t *testing.T, s jwks.KeyStore) {
	const nodes, counts = 4, 8
	// so long that a mixed one would be noticed
	number := func(i int) string { return strings.Repeat(fmt.Sprintf("%03d ", i), 2000) }
	saveKeys(t, s, number(0), "")
	var wg sync.WaitGroup
	for range nodes {
		wg.Go(func() {
			for done, beaten := 0, 0; done < counts; {
				state, version, err := s.LoadKeys(t.Context())
				if err != nil {
					t.Errorf("LoadKeys: %v", err)
					return
				}
				i, err := strconv.Atoi(string(state[:min(3, len(state))]))
				if err != nil || string(state) != number(i) {
					t.Errorf("LoadKeys: %d bytes %.40q, which no node has saved", len(state), state)
					return
				}
				switch err := s.SaveKeys(t.Context(), []byte(number(i+1)), version); {
				case err == nil:
					done++
				case !errors.Is(err, jwks.ErrConflict):
					t.Errorf("SaveKeys: got error %v, want nil or ErrConflict", err)
					return
				default:
					if beaten++; beaten > (nodes-1)*counts { // each conflict needs a save of another node
						t.Error("SaveKeys: more conflicts than there were saves")
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if !t.Failed() {
		wantKeys(t, s, number(nodes*counts))
	}
}

// keysRotators starts several Rotators at once, and rotates all of them at once.
func keysRotators(t *testing.T, s jwks.KeyStore) {
	newNode := func() *jwks.Rotator {
		r, err := jwks.NewRotator(jwks.RotatorConfig{Store: s, Now: func() time.Time { return epoch }})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var nodes []*jwks.Rotator
	for range 6 {
		nodes = append(nodes, newNode())
	}
	headers := func(before func(*jwks.Rotator) error) map[string]bool {
		var mu sync.Mutex
		var wg sync.WaitGroup
		seen := map[string]bool{}
		for _, r := range nodes {
			wg.Go(func() {
				if err := before(r); err != nil {
					t.Errorf("a Rotator over the store: %v", err)
					return
				}
				token, err := r.Sign(t.Context(), "JWT", map[string]any{})
				if err != nil {
					t.Errorf("a Rotator over the store: %v", err)
					return
				}
				header, _, _ := strings.Cut(token, ".") // which contains the kid
				mu.Lock()
				defer mu.Unlock()
				seen[header] = true
			})
		}
		wg.Wait()
		if len(seen) != 1 {
			t.Fatalf("%d Rotators signed with %d keys, want one", len(nodes), len(seen))
		}
		return seen
	}
	first := headers(func(*jwks.Rotator) error { return nil })
	second := headers(func(r *jwks.Rotator) error { return r.Rotate(t.Context()) })
	nodes = append(nodes, newNode())
	restarted := headers(func(*jwks.Rotator) error { return nil })
	for header := range first {
		if second[header] {
			t.Fatal("after a rotation the Rotators sign with the old key")
		}
	}
	for header := range second {
		if !restarted[header] {
			t.Fatal("a Rotator that started later signs with another key")
		}
	}
}
