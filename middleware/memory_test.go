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

// usualSize is what the table of the cache has room for.
const usualSize = 1024

// memoryPerToken caches many tokens. It returns what each takes of the heap, and what the cache counts for it.
func memoryPerToken(tb testing.TB, mods ...authtest.Mod) (heap, believed float64) {
	const tokens = 1000 // so many that what else moves on the heap is little for each
	w := newWorld(tb)
	w.cfg.CacheBytes = 16 << 20 // room for all, wherever they happen to go
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
	validate := func(raws []string) {
		for _, raw := range raws {
			_, err := v.Validate(tb.Context(), raw)
			require.NoError(tb, err)
		}
	}
	table := float64(v.TableSize()) / (16 << 20 / usualSize)
	validate(raws[:20]) // makes what is made once: the keys, the table
	heapBefore, countBefore, sizeBefore := state()
	validate(raws[20:])
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

// TestMemoryPerToken: a cached token takes no more than what the cache counts for it, and less than 2.5 KB when it is a usual one.
func TestMemoryPerToken(t *testing.T) {
	if raceDetector {
		return // whose heap is another
	}
	for _, row := range memoryRows {
		t.Run(row.name, func(t *testing.T) {
			heap, believed := memoryPerToken(t, row.mods...)
			t.Logf("%.0f bytes of heap, %.0f counted", heap, believed)
			assert.LessOrEqual(t, heap, believed+8, "8 bytes, since the heap is not quite still")
			if row.usual {
				assert.Less(t, heap, 2500.0)
			}
		})
	}
}

// BenchmarkMemoryPerToken reports what a cached token takes.
func BenchmarkMemoryPerToken(b *testing.B) {
	for _, row := range memoryRows {
		b.Run(row.name, func(b *testing.B) {
			var heap, believed float64
			for b.Loop() {
				heap, believed = memoryPerToken(b, row.mods...)
			}
			b.ReportMetric(heap, "B/token")
			b.ReportMetric(believed, "counted-B/token")
			b.ReportMetric(0, "ns/op")
		})
	}
}
