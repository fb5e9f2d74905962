package middleware_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/middleware/authtest"
)

// memoryPerToken remembers many tokens. It returns what each takes of the heap, and what the cache believes that it takes.
func memoryPerToken(tb testing.TB, digests bool, mods ...authtest.Mod) (heap, believed float64) {
	const tokens = 1000 // so many that what else moves on the heap is little for each
	w := newWorld(tb)
	w.cfg.CacheEntries, w.cfg.CacheDigests = 2*tokens, digests // room for all, wherever they happen to go
	v := w.bearer(tb).Validator()
	raws := make([]string, tokens)
	for i := range raws {
		raws[i] = w.iss.Token(append(mods[:len(mods):len(mods)], authtest.Subject(fmt.Sprintf("user-%08d", i)))...)
	}
	state := func() (heap float64, count, size int) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		count, size, _ = v.CacheState()
		return float64(m.HeapAlloc), count, size
	}
	remember := func(raws []string) {
		for _, raw := range raws {
			_, err := v.Validate(tb.Context(), raw)
			require.NoError(tb, err)
		}
	}
	table := float64(v.TableSize()) / float64(w.cfg.CacheEntries)
	remember(raws[:20]) // makes what is made once: the keys, the table
	heapBefore, countBefore, sizeBefore := state()
	remember(raws[20:])
	heapAfter, countAfter, sizeAfter := state()
	runtime.KeepAlive(raws)
	count := float64(countAfter - countBefore)
	require.Greater(tb, count, tokens*0.9)
	tb.Logf("a token's text has %d bytes, its payload %d", len(raws[0]), len(strings.Split(raws[0], ".")[1])*3/4)
	return (heapAfter-heapBefore)/count + table, float64(sizeAfter-sizeBefore)/count + table
}

// escaped has strings that are copies of what the payload has.
var escaped = append(rich("ES256"), authtest.Claim("scope", []string{"é\n", "\t", "\"", "\\", "\r", "\b"}), authtest.Claim("jti", "<&>\u2028"))

// usual has a payload of 465 bytes.
func usual(alg string) []authtest.Mod {
	return append(rich(alg), authtest.Claim("jti", "0b8f0b5e-6d3f-4c8a-9a52-0c6f6f0f3a51"), authtest.Claim("note", strings.Repeat("x", 152)))
}

var memoryRows = []struct {
	name  string
	mods  []authtest.Mod
	usual bool
}{
	{"RS256", usual("RS256"), true},
	{"ES256", usual("ES256"), true},
	{"ES256 with escapes", escaped, false},
	{"ES256, small", []authtest.Mod{authtest.Without("client_id"), authtest.Without("iat"), authtest.Without("nbf")}, false},
	{"ES256 with 3 KB of claims", append(rich("ES256"), authtest.Claim("groups", make([]int, 1500))), false},
}

// TestMemoryPerToken: what is remembered of a token is bounded by what the cache counts for it, and is less than 2 KB for a usual one.
func TestMemoryPerToken(t *testing.T) {
	if raceDetector {
		return // whose heap is another
	}
	for _, row := range memoryRows {
		for _, digests := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, digests %v", row.name, digests), func(t *testing.T) {
				heap, believed := memoryPerToken(t, digests, row.mods...)
				t.Logf("%.0f bytes of heap, %.0f counted", heap, believed)
				assert.LessOrEqual(t, heap, believed+8, "8 bytes, since the heap is not quite still")
				if digests && row.usual {
					assert.Less(t, heap, 1000.0)
				} else if row.usual {
					assert.Less(t, heap, 2000.0)
				}
			})
		}
	}
}

// BenchmarkMemoryPerToken reports what remembering a token takes.
func BenchmarkMemoryPerToken(b *testing.B) {
	for _, row := range memoryRows {
		for _, digests := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s, digests %v", row.name, digests), func(b *testing.B) {
				var heap, believed float64
				for b.Loop() {
					heap, believed = memoryPerToken(b, digests, row.mods...)
				}
				b.ReportMetric(heap, "B/token")
				b.ReportMetric(believed, "counted-B/token")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
