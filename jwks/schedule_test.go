package jwks_test

import (
	"maps"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// gaps returns the times between the fetches.
func (i *issuer) gaps() (gaps []time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := 1; n < len(i.fetches); n++ {
		gaps = append(gaps, i.fetches[n].Sub(i.fetches[n-1]))
	}
	return gaps
}

// TestRemoteRefresh: how long an answer stays fresh.
func TestRemoteRefresh(t *testing.T) {
	for _, row := range []struct {
		name     string
		header   http.Header
		min, max time.Duration // in the configuration, 0 for the defaults
		age      time.Duration // how long the set stays fresh; it is fetched again after about 80 % of that
	}{
		{"no header: the ceiling", http.Header{}, 0, 0, time.Hour},
		{"max-age", http.Header{"Cache-Control": {"public, max-age=600"}}, 0, 0, 10 * time.Minute},
		{"max-age in capitals and quotes", http.Header{"Cache-Control": {`Public,MAX-AGE="600"`}}, 0, 0, 10 * time.Minute},
		{"max-age less the Age of a cache in between", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"300"}}, 0, 0, 5 * time.Minute},
		{"max-age of a week: the ceiling", http.Header{"Cache-Control": {"max-age=604800"}}, 0, 0, time.Hour},
		{"max-age that overflows: the floor", http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, 0, 0, time.Minute},
		{"max-age of 0: the floor", http.Header{"Cache-Control": {"max-age=0"}}, 0, 0, time.Minute},
		{"no-store: the floor", http.Header{"Cache-Control": {"no-store, max-age=600"}}, 0, 0, time.Minute},
		{"no-cache: the floor", http.Header{"Cache-Control": {"max-age=600", "no-cache"}}, 0, 0, time.Minute},
		{"Expires", http.Header{"Date": {"Sun, 22 Nov 2026 10:00:00 GMT"}, "Expires": {"Sun, 22 Nov 2026 10:10:00 GMT"}}, 0, 0, 10 * time.Minute},
		{"Expires in the past: the floor", http.Header{"Date": {"Sun, 22 Nov 2026 10:00:00 GMT"}, "Expires": {"Sun, 22 Nov 2026 09:00:00 GMT"}}, 0, 0, time.Minute},
		{"Expires that is no date: the ceiling", http.Header{"Expires": {"0"}}, 0, 0, time.Hour},
		{"another floor", http.Header{"Cache-Control": {"max-age=0"}}, 10 * time.Second, 0, 10 * time.Second},
		{"another ceiling", http.Header{"Cache-Control": {"max-age=604800"}}, 0, 5 * time.Minute, 5 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := newIssuer(t, newKey(t, "a"))
				document := iss.document
				iss.keySet = func(w http.ResponseWriter, _ *http.Request) {
					maps.Copy(w.Header(), row.header)
					_, _ = w.Write(document)
				}
				r := iss.remote(t, func(c *jwks.RemoteConfig) { c.MinAge, c.MaxAge = row.min, row.max })
				found(t, r, "a")
				time.Sleep(20 * row.age)
				gaps := iss.gaps()
				require.NotEmpty(t, gaps)
				distinct := map[time.Duration]bool{}
				for _, gap := range gaps {
					assert.GreaterOrEqual(t, gap, row.age*3/4)
					assert.LessOrEqual(t, gap, row.age*17/20)
					distinct[gap] = true
				}
				assert.Greater(t, len(distinct), len(gaps)/2, "without jitter all the replicas of a service ask at the same moment")
				_, discoveries := iss.count()
				assert.LessOrEqual(t, discoveries, 2)
			})
		})
	}
}

func TestRemoteFreshness(t *testing.T) {
	runScenarios(t, []scenario{
		{"no request waits for a refresh", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			iss.set(func() { iss.delay = 4 * time.Second })
			for range 4 * 3600 {
				began := time.Now()
				found(t, r, "a")
				assert.Zero(t, time.Since(began))
				time.Sleep(time.Second)
			}
			fetches, _ := iss.count()
			assert.GreaterOrEqual(t, fetches, 4)
		}},
		{"a key that is published is there after the refresh", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			r := iss.remote(t)
			found(t, r, "a")
			iss.publish(t, a, newKey(t, "b"))
			time.Sleep(time.Hour)
			iss.set(func() { iss.down = true })
			found(t, r, "a", "b")
		}},
		{"a key that is no longer published is gone after the refresh, and no longer current", func(t *testing.T) {
			a, b := newKey(t, "a"), newKey(t, "b")
			iss := newIssuer(t, a, b)
			r := iss.remote(t)
			ka, err := lookup(r, "a")
			require.NoError(t, err)
			kb, err := lookup(r, "b")
			require.NoError(t, err)
			iss.publish(t, b)
			time.Sleep(time.Hour)
			synctest.Wait()
			assert.False(t, ka.Current())
			missing(t, r, jwks.ErrKeyNotFound, "a")
			again, err := lookup(r, "b")
			require.NoError(t, err)
			assert.Same(t, kb, again, "the same key stays the same *Key")
			assert.True(t, kb.Current())
			iss.publish(t, a, b)
			time.Sleep(time.Hour)
			back, err := lookup(r, "a")
			require.NoError(t, err)
			assert.NotSame(t, ka, back)
			assert.True(t, back.Current())
			assert.False(t, ka.Current(), "what was forgotten stays forgotten")
		}},
		{"another key under the same kid replaces it", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			before, err := lookup(r, "a")
			require.NoError(t, err)
			iss.publish(t, newKey(t, "a"))
			time.Sleep(time.Hour)
			after, err := lookup(r, "a")
			require.NoError(t, err)
			assert.NotSame(t, before, after)
			assert.False(t, before.Current())
		}},
		{"a key that changes its alg is another key", func(t *testing.T) {
			iss := newIssuer(t)
			a := newKey(t, "a")
			anyAlg, err := jwks.NewKey("a", "", a.Public())
			require.NoError(t, err)
			iss.publish(t, anyAlg)
			r := iss.remote(t)
			before, err := lookup(r, "a")
			require.NoError(t, err)
			iss.publish(t, a)
			time.Sleep(time.Hour)
			after, err := lookup(r, "a")
			require.NoError(t, err)
			assert.Equal(t, "ES256", after.Algorithm())
			assert.False(t, before.Current())
		}},
		{"an ETag is sent back and 304 keeps the set, fresh", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.etag = `"v1"`
			r := iss.remote(t)
			k, err := lookup(r, "a")
			require.NoError(t, err)
			assert.Empty(t, iss.last().Header.Get("If-None-Match"))
			assert.Contains(t, iss.last().Header.Get("Accept"), "application/json")
			time.Sleep(30 * 24 * time.Hour)
			assert.Equal(t, `"v1"`, iss.last().Header.Get("If-None-Match"))
			assert.True(t, k.Current())
			found(t, r, "a")
			assert.NoError(t, r.Status().LastError)
			iss.publish(t, newKey(t, "b"))
			iss.set(func() { iss.etag = `"v2"` })
			time.Sleep(time.Hour)
			found(t, r, "b")
			assert.False(t, k.Current())
		}},
		{"Last-Modified is sent back as If-Modified-Since", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			document, when := iss.document, "Sun, 22 Nov 2026 10:00:00 GMT"
			iss.keySet = func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Last-Modified", when)
				if req.Header.Get("If-Modified-Since") == when {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				_, _ = w.Write(document)
			}
			r := iss.remote(t)
			found(t, r, "a")
			time.Sleep(2 * time.Hour)
			assert.Equal(t, when, iss.last().Header.Get("If-Modified-Since"))
			assert.NoError(t, r.Status().LastError)
		}},
		{"304 to a request that did not ask for it is a failure", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.keySet = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }
			_, err := lookup(iss.remote(t), "a")
			assert.ErrorContains(t, err, "status 304")
		}},
		{"the address of the key set is discovered again every day, and when it fails", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			found(t, r, "a")
			time.Sleep(23 * time.Hour)
			_, discoveries := iss.count()
			assert.Equal(t, 1, discoveries)
			time.Sleep(2 * time.Hour)
			_, discoveries = iss.count()
			assert.Equal(t, 2, discoveries)
			// The issuer moves its key set.
			document := iss.document
			iss.set(func() {
				iss.metadata = answers(200, "application/json", `{"issuer": %q, "jwks_uri": %q}`, issuerName, issuerName+"/keys?v=2")
				iss.keySet = func(w http.ResponseWriter, req *http.Request) {
					if req.URL.RawQuery != "v=2" {
						http.NotFound(w, req)
						return
					}
					_, _ = w.Write(document)
				}
			})
			time.Sleep(time.Hour)
			assert.Equal(t, issuerName+"/keys?v=2", r.Status().URL)
			assert.NoError(t, r.Status().LastError)
		}},
		{"status and events show what happened", func(t *testing.T) {
			a := newKey(t, "a")
			iss := newIssuer(t, a)
			var mu sync.Mutex
			var events []jwks.FetchEvent
			r := iss.remote(t, func(c *jwks.RemoteConfig) {
				c.OnFetch = func(e jwks.FetchEvent) { mu.Lock(); defer mu.Unlock(); events = append(events, e) }
			})
			take := func() []jwks.FetchEvent {
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				out := events
				events = nil
				return out
			}
			s := r.Status()
			assert.Equal(t, jwks.Status{}, s, "asking for the status causes nothing")

			iss.set(func() { iss.delay = time.Second })
			found(t, r, "a")
			at := time.Now()
			assert.Equal(t, []jwks.FetchEvent{
				{Cause: "first", Outcome: "started"},
				{Cause: "first", Outcome: "changed", URL: issuerName + "/keys", Duration: 2 * time.Second, Added: []string{"a"}},
			}, take())
			iss.set(func() { iss.delay = 0 })

			time.Sleep(10 * time.Minute)
			s = r.Status()
			assert.Equal(t, []string{"a"}, s.KeyIDs)
			assert.Equal(t, 10*time.Minute, s.Age)
			assert.Equal(t, at, s.FetchedAt)
			assert.WithinRange(t, s.NextFetch, at.Add(45*time.Minute), at.Add(51*time.Minute))

			time.Sleep(50 * time.Minute)
			assert.Equal(t, []jwks.FetchEvent{{Cause: "refresh", Outcome: "started"}, {Cause: "refresh", Outcome: "unchanged", URL: issuerName + "/keys"}}, take())

			b := newKey(t, "b")
			set, err := jwks.NewSet(b)
			require.NoError(t, err)
			document, err := set.MarshalJSON()
			require.NoError(t, err)
			iss.set(func() {
				iss.document = append([]byte(`{"keys":[{"kty":"AKP","kid":"pq"},`), document[len(`{"keys":[`):]...)
			})
			found(t, r, "b")
			skipped := []jwks.Skipped{{ID: "pq", Reason: `unsupported kty "AKP"`}}
			assert.Equal(t, []jwks.FetchEvent{{Cause: "unknown kid", Outcome: "started"},
				{Cause: "unknown kid", Outcome: "changed", URL: issuerName + "/keys", Added: []string{"b"}, Removed: []string{"a"}, Skipped: skipped}}, take())
			assert.Equal(t, skipped, r.Status().Skipped)

			iss.set(func() { iss.down = true })
			time.Sleep(52 * time.Minute)
			s = r.Status()
			assert.Positive(t, s.Failures)
			assert.EqualError(t, s.LastError, "jwks: keys unavailable: key set https://issuer.example/keys: connection refused")
			assert.Equal(t, []string{"b"}, s.KeyIDs)
			failed := take()
			assert.Equal(t, "refresh", failed[1].Cause)
			assert.Equal(t, "failed", failed[1].Outcome)
			assert.Equal(t, "retry", failed[3].Cause)
			assert.ErrorContains(t, failed[3].Err, "connection refused")
		}},
	})
}
