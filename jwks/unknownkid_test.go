package jwks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// TestRemoteUnknownKID is about tokens whose kid is not in the set: after a rotation, or made up.
func TestRemoteUnknownKID(t *testing.T) {
	runScenarios(t, []scenario{
		{"a rotation is followed by the very request that brings the new kid", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			iss.publish(t, a, newKey(t, "b"))
			began := time.Now()
			found(t, r, "b")
			assert.Zero(t, time.Since(began))
		}},
		{"one made-up kid before a rotation does not delay it", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			missing(t, r, jwks.ErrKeyNotFound, "junk")
			iss.publish(t, a, newKey(t, "b"))
			found(t, r, "b")
		}},
		{"many requests with one new kid are one fetch", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			iss.publish(t, a, newKey(t, "b"))
			iss.set(func() { iss.delay = time.Second })
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() { found(t, r, "b") })
			}
			wg.Wait()
			fetches, _ := iss.count()
			assert.Equal(t, 2, fetches)
		}},
		{"three made-up kids cause a fetch at once, then one per 10 s", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			for i := range 10 {
				missing(t, r, jwks.ErrKeyNotFound, fmt.Sprint("junk", i))
			}
			fetches, _ := iss.count()
			assert.Equal(t, 1+3, fetches)
			time.Sleep(11 * time.Second)
			fetches, _ = iss.count()
			assert.Equal(t, 1+3+1, fetches, "the others were in the negative cache")
			time.Sleep(10 * time.Minute)
			fetches, _ = iss.count()
			assert.Equal(t, 1+3+1, fetches, "and looked for once")
		}},
		{"a kid that comes while the budget is empty is fetched as soon as allowed, without another request", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			for i := range 3 {
				missing(t, r, jwks.ErrKeyNotFound, fmt.Sprint("junk", i))
			}
			iss.publish(t, a, newKey(t, "b"))
			began := time.Now()
			missing(t, r, jwks.ErrKeyNotFound, "b")
			assert.Zero(t, time.Since(began), "nobody waits for the budget")
			time.Sleep(10 * time.Second)
			synctest.Wait()
			iss.set(func() { iss.down = true })
			found(t, r, "b")
		}},
		{"one client with one wrong kid does not use up the budget", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			for range 3600 {
				missing(t, r, jwks.ErrKeyNotFound, "wrong")
				time.Sleep(time.Second)
			}
			fetches, _ := iss.count()
			assert.LessOrEqual(t, fetches, 1+1+3600/20, "10 s, then every 20 s: half of the budget")
			iss.publish(t, a, newKey(t, "b"))
			found(t, r, "b")
		}},
		{"a token that comes before its key is published is accepted soon after", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			missing(t, r, jwks.ErrKeyNotFound, "b")
			iss.publish(t, a, newKey(t, "b"))
			missing(t, r, jwks.ErrKeyNotFound, "b")
			time.Sleep(10 * time.Second)
			found(t, r, "b")
		}},
		{"a guessed kid that was not found again and again is found promptly once it is published", func(t *testing.T) {
			for name, pause := range map[string]time.Duration{"each second": time.Second, "each quarter of a minute": 15 * time.Second, "each 11 minutes": 11 * time.Minute} {
				a := newKey(t, "a")
				iss := newIssuer(t, a)
				r := iss.remote(t)
				found(t, r, "a")
				for range 100 {
					missing(t, r, jwks.ErrKeyNotFound, "2026-12")
					time.Sleep(pause)
				}
				missing(t, r, jwks.ErrKeyNotFound, "2026-12") // once more just before
				iss.publish(t, a, newKey(t, "2026-12"))
				published := time.Now()
				for {
					if _, err := lookup(r, "2026-12"); err == nil {
						break
					}
					time.Sleep(time.Second)
				}
				assert.LessOrEqual(t, time.Since(published), 20*time.Second, name)
			}
		}},
		{"a guessed kid is found promptly once it is published, also with the budget empty", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			for i := range 600 {
				missing(t, r, jwks.ErrKeyNotFound, "2026-12", fmt.Sprint("junk", i))
				time.Sleep(time.Second)
			}
			iss.publish(t, a, newKey(t, "2026-12"))
			published := time.Now()
			for i := 600; ; i++ {
				missing(t, r, jwks.ErrKeyNotFound, fmt.Sprint("junk", i))
				if _, err := lookup(r, "2026-12"); err == nil {
					break
				}
				time.Sleep(time.Second)
			}
			assert.LessOrEqual(t, time.Since(published), 11*time.Second)
		}},
		{"a rotation to a key set that has moved, while the old address still answers", func(t *testing.T) {
			a := newKey(t, "a")
			iss, moved := newIssuer(t, a), newIssuer(t, a, newKey(t, "b"))
			old := iss.document
			iss.keySet = func(w http.ResponseWriter, req *http.Request) {
				document := old
				if req.URL.RawQuery == "v=2" {
					document = moved.document
				}
				_, _ = w.Write(document)
			}
			r := iss.remote(t)
			found(t, r, "a")
			time.Sleep(2 * time.Hour)
			iss.set(func() {
				iss.metadata = answers(200, "application/json", `{"issuer": %q, "jwks_uri": %q}`, issuerName, issuerName+"/keys?v=2")
			})
			missing(t, r, jwks.ErrKeyNotFound, "b")
			_, discoveries := iss.count()
			assert.Equal(t, 1, discoveries, "the address that is known is asked first")
			time.Sleep(10 * time.Second)
			found(t, r, "b")
			assert.Equal(t, issuerName+"/keys?v=2", r.Status().URL)
		}},
		{"made-up kids cause discovery four times an hour at most, whether it succeeds or not", func(t *testing.T) {
			for _, metadata := range []http.HandlerFunc{nil, answers(500, "text/plain", "busy")} {
				iss := newIssuer(t, newKey(t, "a"))
				r := iss.remote(t)
				found(t, r, "a")
				iss.set(func() { iss.metadata = metadata })
				for i := range 3600 {
					missing(t, r, jwks.ErrKeyNotFound, fmt.Sprint("junk", i))
					time.Sleep(time.Second)
				}
				_, discoveries := iss.count()
				assert.Greater(t, discoveries, 2)
				assert.LessOrEqual(t, discoveries, 1+4)
			}
		}},
		{"the negative cache is bounded", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			name := strings.Repeat("x", 10_000)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for i := range 4 * 1500 {
				_, err := lookup(r, fmt.Sprint(name, i))
				require.ErrorIs(t, err, jwks.ErrKeyNotFound)
				if i%1500 == 0 {
					time.Sleep(10 * time.Second)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(2<<20), "of 60 MB that came")
			iss.publish(t, a, newKey(t, "b"))
			time.Sleep(10 * time.Second)
			found(t, r, "b")
		}},
		{"a kid whose key is of another type causes no fetch", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			for range 10 {
				_, err := r.Lookup(context.Background(), "a", "RS256")
				assert.ErrorIs(t, err, jwks.ErrKeyNotFound)
			}
			fetches, _ := iss.count()
			assert.Equal(t, 1, fetches)
		}},
		{"a token without a kid that fits no key or several keys causes no more fetches than one with an unknown kid", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"), newKey(t, "b"))
			r := iss.remote(t)
			for range 10 {
				missing(t, r, jwks.ErrKeyNotFound, "")
			}
			fetches, _ := iss.count()
			assert.Equal(t, 1, fetches, "several fit: a fetch would not help")
			for range 10 {
				_, err := r.Lookup(context.Background(), "", "RS256")
				assert.ErrorIs(t, err, jwks.ErrKeyNotFound)
			}
			fetches, _ = iss.count()
			assert.Equal(t, 2, fetches)
		}},
		{"a failed fetch does not use up the budget, and the kid is fetched once the issuer is back", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.down = true })
			iss.publish(t, a, newKey(t, "b"))
			for range 100 {
				missing(t, r, jwks.ErrUnavailable, "b", "junk")
				found(t, r, "a")
				time.Sleep(time.Second)
			}
			fetches, _ := iss.count()
			assert.LessOrEqual(t, fetches, 1+10, "1 s, 2 s, 4 s, … 1 minute")
			iss.set(func() { iss.down = false })
			time.Sleep(time.Minute)
			found(t, r, "b")
			for i := range 3 {
				missing(t, r, jwks.ErrKeyNotFound, fmt.Sprint("junk", i))
			}
			fetchesAfter, _ := iss.count()
			assert.GreaterOrEqual(t, fetchesAfter-fetches, 4, "the whole budget is still there")
		}},
		{"a request that joined an older fetch causes one more", func(t *testing.T) {
			a, b := newKey(t, "a"), newKey(t, "b")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.delay = time.Second })
			var wg sync.WaitGroup
			wg.Go(func() { missing(t, r, jwks.ErrKeyNotFound, "junk") })
			synctest.Wait() // the answer that is under way is from before the rotation
			iss.publish(t, a, b)
			wg.Go(func() { found(t, r, "b") })
			wg.Wait()
		}},
		{"waiting for an unknown kid ends with the request, and after 5 s", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.delay = time.Hour })
			began := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			_, err := r.Lookup(ctx, "junk", "ES256")
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 20*time.Millisecond, time.Since(began))
			missing(t, r, jwks.ErrUnavailable, "junk")
			assert.LessOrEqual(t, time.Since(began), 5*time.Second)
		}},
	})
}

// TestRemoteFlood sends 100 000 tokens with as many made-up kids in an hour, among them good ones, and rotates in the
// middle.
func TestRemoteFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newKey(t, "a"), newKey(t, "b")
		iss := newIssuer(t, a)
		iss.delay = 50 * time.Millisecond
		r := iss.remote(t)
		found(t, r, "a")
		began := time.Now()

		const tokens = 100_000
		var wg sync.WaitGroup
		var mu sync.Mutex
		slowest := time.Duration(0)
		for i := range tokens {
			time.Sleep(time.Hour/tokens - time.Duration(rand.Int64N(1000)))
			if i == tokens/2 {
				iss.publish(t, a, b)
				rotated := time.Now()
				wg.Go(func() {
					for {
						if _, err := lookup(r, "b"); err == nil {
							break
						}
						time.Sleep(100 * time.Millisecond)
					}
					assert.LessOrEqual(t, time.Since(rotated), 10*time.Second+200*time.Millisecond, "the rotation is followed within 10 s")
				})
			}
			wg.Go(func() {
				start := time.Now()
				limit := time.Duration(1+rand.IntN(1000)) * time.Millisecond
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				defer cancel()
				_, err := r.Lookup(ctx, fmt.Sprint("made up ", i), "ES256")
				assert.Error(t, err)
				took := time.Since(start)
				if took > limit {
					t.Errorf("waited %v, beyond its context of %v", took, limit)
				}
				mu.Lock()
				slowest = max(slowest, took)
				mu.Unlock()
			})
			if i%10 == 0 {
				start := time.Now()
				found(t, r, "a")
				if took := time.Since(start); took > 0 {
					t.Errorf("a known key took %v", took)
				}
			}
		}
		wg.Wait()
		fetches, discoveries := iss.count()
		t.Logf("%d tokens in %v: %d fetches, %d discoveries, slowest answer after %v", tokens, time.Since(began).Round(time.Second), fetches, discoveries, slowest)
		assert.LessOrEqual(t, fetches+discoveries, 370)
		assert.LessOrEqual(t, slowest, 200*time.Millisecond)
		require.NoError(t, r.Close())
	})
}
