package jwks_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bearergate/bearergate/jwks"
)

// flakyStore fails after breakWith.
type flakyStore struct {
	jwks.MemoryKeyStore
	mu   sync.Mutex
	fail error
	load int
}

func (f *flakyStore) breakWith(err error) { f.mu.Lock(); defer f.mu.Unlock(); f.fail = err }

func (f *flakyStore) loads() int { f.mu.Lock(); defer f.mu.Unlock(); return f.load }

func (f *flakyStore) LoadKeys(ctx context.Context) ([]byte, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.load++; f.fail != nil {
		return nil, "", f.fail
	}
	return f.MemoryKeyStore.LoadKeys(ctx)
}

// busyStore always fails with ErrConflict.
type busyStore struct{ jwks.MemoryKeyStore }

func (*busyStore) SaveKeys(context.Context, []byte, string) error { return jwks.ErrConflict }

func TestRotatorStore(t *testing.T) {
	broken := errors.New("disk on fire")
	runScenarios(t, []scenario{
		{"without a store there is no key, and that is not the token's fault", func(t *testing.T) {
			store := &flakyStore{fail: broken}
			r := newRotator(t, jwks.RotatorConfig{Store: store})
			_, err := r.Sign(context.Background(), "", jwt.MapClaims{})
			assert.ErrorIs(t, err, jwks.ErrUnavailable)
			assert.ErrorIs(t, err, broken)
			assert.ErrorIs(t, r.Ready(context.Background()), jwks.ErrUnavailable)
			assert.ErrorIs(t, r.Rotate(context.Background()), jwks.ErrUnavailable)
			_, err = r.Lookup(context.Background(), "a", "ES256")
			assert.ErrorIs(t, err, jwks.ErrUnavailable)
			w := get(t, r, nil)
			assert.Equal(t, http.StatusServiceUnavailable, w.Code)
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			assert.NotEmpty(t, w.Header().Get("Retry-After"))
			assert.NotContains(t, w.Body.String(), "fire")
			store.breakWith(nil)
			assert.NoError(t, r.Ready(context.Background()))
		}},
		{"loaded keys survive an outage of the store", func(t *testing.T) {
			store := &flakyStore{}
			r := newRotator(t, jwks.RotatorConfig{Store: store})
			kids := published(t, r)
			store.breakWith(broken)
			for range 200 {
				_, err := verify(r, sign(t, r))
				assert.NoError(t, err)
				time.Sleep(time.Hour * 15)
			}
			assert.Equal(t, kids[1], kidOf(t, sign(t, r)), "the plan that is known goes on")
			assert.ErrorIs(t, r.Rotate(context.Background()), broken)
			store.breakWith(nil)
			time.Sleep(10 * time.Second)
			assert.Len(t, published(t, r), 2)
		}},
		{"the store is read every 10 s, not for every token", func(t *testing.T) {
			store := &flakyStore{}
			r := newRotator(t, jwks.RotatorConfig{Store: store})
			sign(t, r)
			before := store.loads()
			for range 600 {
				sign(t, r)
				time.Sleep(100 * time.Millisecond)
			}
			assert.LessOrEqual(t, store.loads()-before, 6)
		}},
		{"a store in which every save conflicts", func(t *testing.T) {
			r := newRotator(t, jwks.RotatorConfig{Store: new(busyStore)})
			err := r.Ready(context.Background())
			assert.ErrorIs(t, err, jwks.ErrUnavailable)
			assert.ErrorIs(t, err, jwks.ErrConflict)
		}},
		{"a slow store delays nobody while there are keys", func(t *testing.T) {
			store := &slowStore{release: make(chan struct{}, 10)}
			store.release <- struct{}{}
			store.release <- struct{}{}
			r := newRotator(t, jwks.RotatorConfig{Store: store})
			sign(t, r)
			time.Sleep(time.Minute)
			var wg sync.WaitGroup
			wg.Go(func() { sign(t, r) }) // this one asks the store
			synctest.Wait()
			began := time.Now()
			_, err := verify(r, sign(t, r))
			assert.NoError(t, err)
			assert.Zero(t, time.Since(began))
			close(store.release)
			wg.Wait()
		}},
		{"a stored state that vanishes is put back", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			r := newRotator(t, jwks.RotatorConfig{Store: jwks.FileKeyStore(path)})
			old := sign(t, r)
			kids := published(t, r)
			require.NoError(t, os.Remove(path))
			time.Sleep(10 * time.Second)
			assert.Equal(t, kids, published(t, r))
			_, err := verify(newRotator(t, jwks.RotatorConfig{Store: jwks.FileKeyStore(path)}), old)
			assert.NoError(t, err)
		}},
		{"a node that may only read signs with the stored key", func(t *testing.T) {
			store := &readOnlyStore{}
			writer := newRotator(t, jwks.RotatorConfig{Store: &store.MemoryKeyStore})
			kid := kidOf(t, sign(t, writer))
			reader := newRotator(t, jwks.RotatorConfig{Store: store})
			assert.Equal(t, kid, kidOf(t, sign(t, reader)))
			time.Sleep(91 * 24 * time.Hour) // time for a new next key, which the reader cannot make
			before := store.saves
			for range 100 {
				_, err := verify(writer, sign(t, reader))
				assert.NoError(t, err)
			}
			assert.LessOrEqual(t, store.saves-before, 1, "and does not try again for each token")
			assert.ErrorIs(t, reader.Rotate(context.Background()), errReadOnly)
		}},
		{"a caller that goes away does not count as a failure of the store", func(t *testing.T) {
			store := &flakyStore{}
			r := newRotator(t, jwks.RotatorConfig{Store: store})
			sign(t, r)
			time.Sleep(time.Minute)
			store.breakWith(context.Canceled)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			assert.NoError(t, r.Ready(ctx))
			store.breakWith(nil)
			before := store.loads()
			assert.NoError(t, r.Ready(context.Background()))
			assert.Equal(t, 1, store.loads()-before, "the next caller looks")
		}},
		{"a caller waits for the first key only as long as its context", func(t *testing.T) {
			store := &slowStore{release: make(chan struct{})}
			r := newRotator(t, jwks.RotatorConfig{Store: store})
			var wg sync.WaitGroup
			wg.Go(func() { assert.NoError(t, r.Ready(context.Background())) })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			assert.ErrorIs(t, r.Ready(ctx), context.DeadlineExceeded)
			close(store.release)
			wg.Wait()
		}},
	})
	for name, state := range map[string]string{
		"no JSON": "secret", "another format": `{"format":2,"secret":1}`, "no PKCS #8": `{"format":1,"keys":[{"kid":"a","alg":"ES256","pkcs8":"c2VjcmV0"}]}`,
		"a key for encryption": stored(t, "ES256", x25519(t), 0, 0),
		"another kind of key":  stored(t, "RS256", ecSigner(t), 0, 0),
		"keys out of order":    stored(t, "ES256", ecSigner(t), 10, 5),
	} {
		t.Run("a stored state with "+name, func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			require.NoError(t, store.SaveKeys(context.Background(), []byte(state), ""))
			err := newRotator(t, jwks.RotatorConfig{Store: store}).Ready(context.Background())
			assert.ErrorIs(t, err, jwks.ErrUnavailable)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

// stored returns a stored state with one key twice.
func stored(t *testing.T, alg string, private any, first, second int) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	key := func(second int) string {
		return fmt.Sprintf(`{"kid":"a","alg":%q,"activates":"2026-11-22T10:00:%02dZ","pkcs8":%q}`, alg, second, base64.StdEncoding.EncodeToString(der))
	}
	return fmt.Sprintf(`{"format":1,"keys":[%s,%s]}`, key(first), key(second))
}

func x25519(t *testing.T) any {
	t.Helper()
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	return private
}

// readOnlyStore fails to save.
type readOnlyStore struct {
	jwks.MemoryKeyStore
	saves int
}

var errReadOnly = errors.New("read-only")

func (r *readOnlyStore) SaveKeys(context.Context, []byte, string) error {
	r.saves++
	return errReadOnly
}

type slowStore struct {
	jwks.MemoryKeyStore
	release chan struct{}
}

func (s *slowStore) LoadKeys(ctx context.Context) ([]byte, string, error) {
	<-s.release
	return s.MemoryKeyStore.LoadKeys(ctx)
}
