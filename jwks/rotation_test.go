package jwks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// TestRotationVirtual rotates 20 times and more while two nodes sign and two resource servers validate, in virtual
// time. Each token is validated at once and again until it expires. None is rejected.
func TestRotationVirtual(t *testing.T) {
	const lifetime = 30 * time.Minute
	for _, row := range []struct {
		name   string
		cfg    jwks.RotatorConfig
		forced time.Duration // between emergency rotations; 0 for none
	}{
		{"scheduled", jwks.RotatorConfig{RotateEvery: time.Hour, MaxAge: 5 * time.Minute, TokenLifetime: lifetime}, 0},
		{"scheduled, as fast as allowed", jwks.RotatorConfig{RotateEvery: 15 * time.Minute, MaxAge: 5 * time.Minute, TokenLifetime: lifetime}, 0},
		{"in emergencies", jwks.RotatorConfig{MaxAge: 5 * time.Minute, TokenLifetime: lifetime}, 20 * time.Minute},
		{"with a document that may be cached for an hour", jwks.RotatorConfig{RotateEvery: 4 * time.Hour, MaxAge: time.Hour, TokenLifetime: lifetime}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.cfg.Store = new(jwks.MemoryKeyStore)
				nodes := []*jwks.Rotator{newRotator(t, row.cfg), newRotator(t, row.cfg)}
				balancer := &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
					w := httptest.NewRecorder()
					nodes[rand.IntN(2)].ServeHTTP(w, req)
					return w.Result(), nil
				})}
				var remotes []*jwks.Remote
				for range 2 {
					r, err := jwks.NewRemote(jwks.RemoteConfig{URL: issuerName + "/keys", Client: balancer})
					require.NoError(t, err)
					remotes = append(remotes, r)
				}
				type issued struct {
					token string
					until time.Time
				}
				var alive []issued
				kids := map[string]bool{}
				every := max(row.cfg.RotateEvery, row.forced)
				forced := time.Now().Add(row.forced)
				for began := time.Now(); time.Since(began) < 21*every; time.Sleep(every / 15) {
					if row.forced > 0 && !time.Now().Before(forced) {
						require.NoError(t, nodes[rand.IntN(2)].Rotate(context.Background()))
						forced = forced.Add(row.forced)
					}
					for _, node := range nodes {
						token := sign(t, node)
						kids[kidOf(t, token)] = true
						alive = append(alive, issued{token, time.Now().Add(lifetime)})
					}
					alive = slices.DeleteFunc(alive, func(i issued) bool { return time.Now().After(i.until) })
					for _, i := range append(alive[len(alive)-2:], alive[0], alive[rand.IntN(len(alive))]) {
						for _, r := range remotes {
							_, err := verify(r, i.token)
							require.NoError(t, err, "signed %v ago", time.Since(i.until.Add(-lifetime)))
						}
					}
				}
				assert.Greater(t, len(kids), 20)
				for _, r := range remotes {
					require.NoError(t, r.Close())
				}
			})
		})
	}
}

// TestRotationOverHTTP rotates 20 times in real time, over HTTP, while tokens are signed and two Remotes validate them.
func TestRotationOverHTTP(t *testing.T) {
	rotator := newRotator(t, jwks.RotatorConfig{MaxAge: 500 * time.Millisecond, RotateEvery: time.Hour})
	mux := http.NewServeMux()
	srv := loopback(t, mux)
	mux.Handle("/keys", rotator)
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, srv.URL, srv.URL+"/keys")
	})
	var remotes []*jwks.Remote
	for range 2 {
		r, err := jwks.NewRemote(jwks.RemoteConfig{Issuer: srv.URL, MinAge: 20 * time.Millisecond})
		require.NoError(t, err)
		require.NoError(t, r.Ready(context.Background()))
		remotes = append(remotes, r)
	}
	var accepted, refused atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, r := range remotes {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := verify(r, sign(t, rotator)); err != nil {
					refused.Add(1)
					t.Errorf("refused: %v", err)
					return
				}
				accepted.Add(1)
			}
		})
	}
	for range 20 {
		before := accepted.Load()
		for _, kid := range published(t, rotator) {
			for _, r := range remotes {
				for !slices.Contains(r.Status().KeyIDs, kid) && refused.Load() == 0 {
					runtime.Gosched()
				}
			}
		}
		require.NoError(t, rotator.Rotate(context.Background()))
		for accepted.Load() < before+50 && refused.Load() == 0 {
			runtime.Gosched()
		}
	}
	stop()
	wg.Wait()
	t.Logf("%d tokens accepted, %d refused, %d keys published", accepted.Load(), refused.Load(), len(published(t, rotator)))
	assert.Zero(t, refused.Load())
	assert.GreaterOrEqual(t, accepted.Load(), int64(20*50))
	assert.Len(t, published(t, rotator), 22)
	for _, r := range remotes {
		require.NoError(t, r.Close())
	}
}
