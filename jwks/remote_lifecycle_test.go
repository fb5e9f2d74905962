package jwks_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// TestRemoteLifecycle is about the first use, concurrent use, and Close. A scenario that leaves a goroutine behind does
// not end: synctest sees to that.
func TestRemoteLifecycle(t *testing.T) {
	runScenarios(t, []scenario{
		{"a remote that is not used does nothing, and need not be closed", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			_, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: issuerName, Client: &http.Client{Transport: iss}})
			require.NoError(t, err)
			time.Sleep(48 * time.Hour)
			fetches, discoveries := iss.count()
			assert.Zero(t, fetches+discoveries)
		}},
		{"the first request brings the keys", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"), newKey(t, "b"))
			found(t, iss.remote(t), "a", "b")
			fetches, discoveries := iss.count()
			assert.Equal(t, [2]int{1, 1}, [2]int{fetches, discoveries})
		}},
		{"with a URL nothing is discovered", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			found(t, iss.remote(t, func(c *jwks.RemoteConfig) { c.Issuer, c.URL = "", issuerName+"/keys" }), "a")
			fetches, discoveries := iss.count()
			assert.Equal(t, [2]int{1, 0}, [2]int{fetches, discoveries})
		}},
		{"200 first requests at once are one discovery and one fetch", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = 300 * time.Millisecond
			r := iss.remote(t)
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() { found(t, r, "a") })
			}
			wg.Wait()
			fetches, discoveries := iss.count()
			assert.Equal(t, [2]int{1, 1}, [2]int{fetches, discoveries})
		}},
		{"a client that goes away leaves at once and does not stop the fetch for the others", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = time.Second
			r := iss.remote(t)
			gone := errors.New("the client has gone")
			ctx, cancel := context.WithCancelCause(context.Background())
			began := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := r.Lookup(ctx, "a", "ES256")
				assert.ErrorIs(t, err, gone)
				assert.NotErrorIs(t, err, jwks.ErrUnavailable)
				assert.Equal(t, 100*time.Millisecond, time.Since(began))
			})
			wg.Go(func() { found(t, r, "a") })
			time.Sleep(100 * time.Millisecond)
			cancel(gone)
			wg.Wait()
			fetches, _ := iss.count()
			assert.Equal(t, 1, fetches)
		}},
		{"the fetch goes on even when nobody waits any more", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = time.Second
			r := iss.remote(t)
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			_, err := r.Lookup(ctx, "a", "ES256")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			time.Sleep(3 * time.Second)
			iss.set(func() { iss.down = true })
			found(t, r, "a")
		}},
		{"a fetch ends after 5 s, and with it every wait", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = time.Minute
			r := iss.remote(t)
			began := time.Now()
			_, err := lookup(r, "a")
			assert.ErrorIs(t, err, jwks.ErrUnavailable)
			assert.NotErrorIs(t, err, context.DeadlineExceeded, "the client did not go away")
			assert.ErrorContains(t, err, "no answer within 5s")
			assert.Equal(t, 5*time.Second, time.Since(began))
		}},
		{"a transport that ignores its context holds nobody for longer than 5 s", func(t *testing.T) {
			hang := make(chan struct{})
			iss := newIssuer(t, newKey(t, "a"))
			iss.metadata = func(http.ResponseWriter, *http.Request) { <-hang }
			r := iss.remote(t)
			began := time.Now()
			missing(t, r, jwks.ErrUnavailable, "a")
			assert.Equal(t, 5*time.Second, time.Since(began))
			close(hang)
		}},
		{"a slow discovery is not lost when the time runs out on the key set", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = 3 * time.Second
			r := iss.remote(t)
			missing(t, r, jwks.ErrUnavailable, "a")
			time.Sleep(10 * time.Second)
			found(t, r, "a")
		}},
		{"Ready waits for the first keys and returns why there are none", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.down = true
			r := iss.remote(t)
			err := r.Ready(context.Background())
			assert.ErrorIs(t, err, jwks.ErrUnavailable)
			assert.ErrorContains(t, err, "connection refused")
			iss.set(func() { iss.down = false })
			time.Sleep(2 * time.Second)
			assert.NoError(t, r.Ready(context.Background()))
			iss.set(func() { iss.down = true })
			assert.NoError(t, r.Ready(context.Background()), "keys that are there stay ready")
		}},
		{"Ready ends with its context", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = time.Second
			r := iss.remote(t)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, r.Ready(ctx), context.DeadlineExceeded)
		}},
		{"Close ends a fetch under way and all that wait for it", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			iss.delay = 4 * time.Second
			r := iss.remote(t)
			began := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() { missing(t, r, jwks.ErrUnavailable, "a") })
			synctest.Wait()
			require.NoError(t, r.Close())
			wg.Wait()
			assert.Zero(t, time.Since(began))
		}},
		{"after Close there are no keys, no fetches and no current keys", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			k, err := lookup(r, "a")
			require.NoError(t, err)
			require.True(t, k.Current())
			require.NoError(t, r.Close())
			require.NoError(t, r.Close(), "closing again is fine")
			assert.False(t, k.Current())
			missing(t, r, jwks.ErrUnavailable, "a", "b")
			assert.ErrorIs(t, r.Ready(context.Background()), jwks.ErrUnavailable)
			time.Sleep(48 * time.Hour)
			fetches, _ := iss.count()
			assert.Equal(t, 1, fetches)
			assert.Zero(t, r.Status().NextFetch)
		}},
		{"a hundred remotes that are used and closed leave nothing behind", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			for range 100 {
				r := iss.remote(t)
				found(t, r, "a")
				require.NoError(t, r.Close())
			}
		}},
		{"an algorithm that no key can have causes no fetch", func(t *testing.T) {
			iss := newIssuer(t, newKey(t, "a"))
			r := iss.remote(t)
			for _, alg := range []string{"", "none", "HS256", "RS1", "es256", "ML-DSA-65"} {
				_, err := r.Lookup(context.Background(), "a", alg)
				assert.ErrorIs(t, err, jwks.ErrKeyNotFound, alg)
			}
			fetches, discoveries := iss.count()
			assert.Zero(t, fetches+discoveries)
		}},
	})
}
