package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

func newRotator(t testing.TB, cfg jwks.RotatorConfig) *jwks.Rotator {
	t.Helper()
	r, err := jwks.NewRotator(cfg)
	require.NoError(t, err)
	return r
}

func sign(t testing.TB, r *jwks.Rotator) string {
	t.Helper()
	token, err := r.Sign(context.Background(), "at+jwt", jwt.RegisteredClaims{Subject: "alice"})
	require.NoError(t, err)
	return token
}

// verify checks a token with the keys that src has for its header.
func verify(src jwks.KeySource, token string) (*jwt.Token, error) {
	return jwt.NewParser(jwt.WithValidMethods(allAlgorithms)).Parse(token, func(tok *jwt.Token) (any, error) {
		kid, _ := tok.Header["kid"].(string)
		keys, err := src.Lookup(context.Background(), kid, tok.Method.Alg())
		if err != nil {
			return nil, err
		}
		set := jwt.VerificationKeySet{}
		for _, k := range keys {
			set.Keys = append(set.Keys, k.Public())
		}
		return set, nil
	})
}

// published are the kids in the document.
func published(t testing.TB, r *jwks.Rotator) (kids []string) {
	t.Helper()
	set, err := jwks.Parse(get(t, r, nil).Body.Bytes())
	require.NoError(t, err)
	assert.Empty(t, set.Skipped())
	for _, k := range set.Keys() {
		kids = append(kids, k.ID())
	}
	return kids
}

func get(t testing.TB, r *jwks.Rotator, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/keys", nil)
	for name, values := range header {
		req.Header[name] = values
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func kidOf(t testing.TB, token string) string {
	t.Helper()
	tok, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	require.NoError(t, err)
	return tok.Header["kid"].(string)
}

var rotatorAlgorithms = []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"}

// onlySigner hides what kind of key it is, as one that is held elsewhere does.
type onlySigner struct{ crypto.Signer }

func TestRotatorAlgorithms(t *testing.T) {
	for _, alg := range rotatorAlgorithms {
		t.Run(alg, func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			r := newRotator(t, jwks.RotatorConfig{Algorithm: alg, Store: store})
			assert.Equal(t, alg, r.Algorithm())
			token := sign(t, r)
			tok, err := verify(r, token)
			require.NoError(t, err)
			key, err := r.Lookup(context.Background(), kidOf(t, token), alg)
			require.NoError(t, err)
			thumbprint, err := jwks.Thumbprint(key[0].Public())
			require.NoError(t, err)
			assert.Equal(t, map[string]any{"alg": alg, "typ": "at+jwt", "kid": thumbprint}, tok.Header)

			set, err := jwks.Parse(get(t, r, nil).Body.Bytes())
			require.NoError(t, err)
			_, err = verify(set, token)
			require.NoError(t, err, "with the published document")

			_, err = verify(newRotator(t, jwks.RotatorConfig{Algorithm: alg, Store: store}), token)
			require.NoError(t, err, "after a restart")
			_, err = verify(newRotator(t, jwks.RotatorConfig{}), token)
			require.ErrorIs(t, err, jwks.ErrKeyNotFound, "by another rotator")

			outside := newRotator(t, jwks.RotatorConfig{Algorithm: alg, Signer: onlySigner{privateKey(t, store)}})
			for range 20 { // the numbers of ECDSA are sometimes shorter
				token = sign(t, outside)
				_, err = verify(outside, token)
				require.NoError(t, err, "with a key that is held elsewhere")
			}
			_, err = verify(set, token)
			require.NoError(t, err)
		})
	}
}

// privateKey takes the active key out of a store.
func privateKey(t testing.TB, store jwks.KeyStore) crypto.Signer {
	t.Helper()
	state, _, err := store.LoadKeys(context.Background())
	require.NoError(t, err)
	return parsePKCS8(t, state)
}

func TestRotatorTyp(t *testing.T) {
	r := newRotator(t, jwks.RotatorConfig{})
	token, err := r.Sign(context.Background(), "", jwt.MapClaims{})
	require.NoError(t, err)
	tok, err := verify(r, token)
	require.NoError(t, err)
	assert.Equal(t, "JWT", tok.Header["typ"])
	assert.Equal(t, "ES256", tok.Header["alg"], "the default")
}

// TestRotatorSchedule follows keys through their lives.
func TestRotatorSchedule(t *testing.T) {
	const every, maxAge, lifetime = 24 * time.Hour, 5 * time.Minute, time.Hour
	config := jwks.RotatorConfig{RotateEvery: every, MaxAge: maxAge, TokenLifetime: lifetime}
	runScenarios(t, []scenario{
		{"at the very first start one key signs at once and the next is published", func(t *testing.T) {
			r := newRotator(t, config)
			require.NoError(t, r.Ready(context.Background()))
			kids := published(t, r)
			require.Len(t, kids, 2)
			assert.Equal(t, kids[0], kidOf(t, sign(t, r)))
		}},
		{"next, active, retired, gone", func(t *testing.T) {
			r := newRotator(t, config)
			first := published(t, r)
			old := sign(t, r)
			keys, err := r.Lookup(context.Background(), first[0], "ES256")
			require.NoError(t, err)
			time.Sleep(every - time.Second)
			assert.Equal(t, first, published(t, r))
			assert.Equal(t, first[0], kidOf(t, sign(t, r)))
			time.Sleep(time.Second)
			assert.Equal(t, first[1], kidOf(t, sign(t, r)), "next is active")
			second := published(t, r)
			require.Len(t, second, 3)
			assert.Equal(t, first, second[:2], "active is retired")
			_, err = verify(r, old)
			assert.NoError(t, err)
			time.Sleep(lifetime)
			assert.Equal(t, second, published(t, r), "for as long as any token lives")
			assert.True(t, keys[0].Current())
			time.Sleep(2 * time.Minute)
			assert.Equal(t, second[1:], published(t, r), "and then gone")
			assert.False(t, keys[0].Current())
			_, err = verify(r, old)
			assert.ErrorIs(t, err, jwks.ErrKeyNotFound)
		}},
		{"a key is published for at least one max-age before it signs, also after a long sleep", func(t *testing.T) {
			r := newRotator(t, config)
			seen := map[string]time.Time{}
			first := published(t, r)[0]
			for i := range 50 {
				now := time.Now()
				for _, kid := range published(t, r) {
					if seen[kid].IsZero() {
						seen[kid] = now
					}
				}
				active := kidOf(t, sign(t, r))
				if active != first {
					assert.GreaterOrEqual(t, now.Sub(seen[active]), maxAge)
				}
				time.Sleep(maxAge)
				if i%3 == 0 {
					time.Sleep(20 * every)
				}
			}
			assert.Greater(t, len(seen), 5)
		}},
		{"a rotation in an emergency makes the key sign that everybody has", func(t *testing.T) {
			r := newRotator(t, config)
			first := published(t, r)
			old := sign(t, r)
			require.NoError(t, r.Rotate(context.Background()))
			assert.Equal(t, first[1], kidOf(t, sign(t, r)))
			assert.Len(t, published(t, r), 3)
			_, err := verify(r, old)
			assert.NoError(t, err)
			time.Sleep(lifetime + 2*time.Minute)
			assert.NotContains(t, published(t, r), first[0])
			time.Sleep(every - lifetime - 3*time.Minute)
			assert.Equal(t, first[1], kidOf(t, sign(t, r)), "the plan starts anew")
		}},
		{"clocks of nodes may differ by a minute: no token is refused to the end of its life", func(t *testing.T) {
			for _, off := range []time.Duration{-time.Minute, -30 * time.Second, time.Minute} {
				cfg := config
				cfg.Store = new(jwks.MemoryKeyStore)
				a := newRotator(t, cfg)
				cfg.Now = func() time.Time { return time.Now().Add(off) }
				nodes := []*jwks.Rotator{a, newRotator(t, cfg)}
				require.NoError(t, a.Ready(context.Background()))
				time.Sleep(every - 90*time.Second)
				var kids [][]string
				for range 180 { // around the rotation, every second
					kids = append(kids, []string{kidOf(t, sign(t, nodes[0])), kidOf(t, sign(t, nodes[1]))})
					time.Sleep(time.Second)
				}
				assert.NotEqual(t, kids[0], kids[len(kids)-1])
				time.Sleep(lifetime - time.Duration(len(kids)+1)*time.Second)
				for _, both := range kids { // each token in its last second
					for _, node := range nodes {
						for _, kid := range both {
							_, err := node.Lookup(context.Background(), kid, "ES256")
							require.NoError(t, err, "clocks differ by %v", off)
						}
					}
					time.Sleep(time.Second)
				}
			}
		}},
		{"two rotations at once are one", func(t *testing.T) {
			store := new(jwks.MemoryKeyStore)
			cfg := config
			cfg.Store = store
			a, b := newRotator(t, cfg), newRotator(t, cfg)
			sign(t, a)
			sign(t, b)
			var wg sync.WaitGroup
			for _, r := range []*jwks.Rotator{a, b} {
				wg.Go(func() { assert.NoError(t, r.Rotate(context.Background())) })
			}
			wg.Wait()
			assert.Len(t, published(t, a), 3)
			assert.Equal(t, published(t, a), published(t, b))
		}},
		{"ten nodes that start at once agree on the first key", func(t *testing.T) {
			cfg := config
			cfg.Store = new(jwks.MemoryKeyStore)
			var mu sync.Mutex
			var wg sync.WaitGroup
			kids := map[string]bool{}
			for range 10 {
				wg.Go(func() {
					kid := kidOf(t, sign(t, newRotator(t, cfg)))
					mu.Lock()
					defer mu.Unlock()
					kids[kid] = true
				})
			}
			wg.Wait()
			assert.Len(t, kids, 1)
		}},
		{"nodes whose clocks differ agree, for the store decides", func(t *testing.T) {
			cfg := config
			cfg.Store = new(jwks.MemoryKeyStore)
			behind := cfg
			behind.Now = func() time.Time { return time.Now().Add(-10 * time.Second) }
			a, b := newRotator(t, cfg), newRotator(t, behind)
			for range 200 {
				ta, tb := sign(t, a), sign(t, b)
				_, err := verify(a, tb)
				assert.NoError(t, err)
				_, err = verify(b, ta)
				assert.NoError(t, err)
				time.Sleep(37 * time.Minute)
			}
			time.Sleep(20 * time.Second) // both look at the store again
			published(t, a)
			assert.Equal(t, published(t, a), published(t, b))
		}},
		{"a node follows what another one did within seconds", func(t *testing.T) {
			cfg := config
			cfg.Store = new(jwks.MemoryKeyStore)
			a, b := newRotator(t, cfg), newRotator(t, cfg)
			assert.Equal(t, kidOf(t, sign(t, a)), kidOf(t, sign(t, b)))
			require.NoError(t, a.Rotate(context.Background()))
			time.Sleep(10 * time.Second)
			assert.Equal(t, kidOf(t, sign(t, a)), kidOf(t, sign(t, b)))
		}},
		{"another algorithm comes with the keys that are made from then on", func(t *testing.T) {
			cfg := config
			cfg.Store = new(jwks.MemoryKeyStore)
			old := sign(t, newRotator(t, cfg))
			cfg.Algorithm = "EdDSA"
			r := newRotator(t, cfg)
			for range 2 {
				require.NoError(t, r.Rotate(context.Background()))
			}
			tok, err := verify(r, sign(t, r))
			require.NoError(t, err)
			assert.Equal(t, "EdDSA", tok.Header["alg"])
			_, err = verify(r, old)
			assert.NoError(t, err)
		}},
	})
}

// flakyStore fails when told to.
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

// busyStore always says that somebody else was faster.
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
		{"keys that were loaded outlive an outage of the store", func(t *testing.T) {
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
		{"the store is asked every 10 s, not for every token", func(t *testing.T) {
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
		{"a store where somebody else is always faster", func(t *testing.T) {
			r := newRotator(t, jwks.RotatorConfig{Store: new(busyStore)})
			err := r.Ready(context.Background())
			assert.ErrorIs(t, err, jwks.ErrUnavailable)
			assert.ErrorIs(t, err, jwks.ErrConflict)
		}},
		{"a slow store holds nobody who has keys", func(t *testing.T) {
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
		{"a node that may only read signs with what is there", func(t *testing.T) {
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
		{"a caller that goes away does not count as trouble with the store", func(t *testing.T) {
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
		{"a caller waits for the first key only as long as it wants to", func(t *testing.T) {
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

// stored is a stored state with one key twice.
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

// readOnlyStore refuses to be written.
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

func TestRotatorConfig(t *testing.T) {
	for _, row := range []struct {
		name string
		cfg  jwks.RotatorConfig
		says []string
	}{
		{"HS256", jwks.RotatorConfig{Algorithm: "HS256"}, []string{`unsupported Algorithm "HS256"`}},
		{"none", jwks.RotatorConfig{Algorithm: "none"}, []string{`unsupported Algorithm "none"`}},
		{"negative times", jwks.RotatorConfig{RotateEvery: -1, MaxAge: -1, TokenLifetime: -1}, []string{"RotateEvery is negative", "MaxAge is negative", "TokenLifetime is negative"}},
		{"times in the wrong unit", jwks.RotatorConfig{RotateEvery: 90, MaxAge: 300, TokenLifetime: 3600}, []string{"RotateEvery is less than a millisecond", "MaxAge is less than", "TokenLifetime is less than"}},
		{"rotating faster than anybody follows", jwks.RotatorConfig{RotateEvery: 10 * time.Minute}, []string{"RotateEvery 10m0s is less than three times MaxAge 5m0s"}},
		{"an outside key and a store", jwks.RotatorConfig{Signer: onlySigner{}, Store: new(jwks.MemoryKeyStore)}, []string{"a Signer is held elsewhere"}},
		{"an outside key of another kind", jwks.RotatorConfig{Algorithm: "RS256", Signer: ecSigner(t)}, []string{`alg "RS256" does not fit the key`}},
		{"everything at once", jwks.RotatorConfig{Algorithm: "x", MaxAge: -1, TokenLifetime: -1}, []string{"Algorithm", "MaxAge", "TokenLifetime"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := jwks.NewRotator(row.cfg)
			require.Error(t, err)
			assert.Nil(t, r)
			for _, s := range row.says {
				assert.ErrorContains(t, err, s)
			}
		})
	}
}

func TestRotatorOutsideSigner(t *testing.T) {
	r := newRotator(t, jwks.RotatorConfig{Signer: ecSigner(t)})
	assert.NoError(t, r.Ready(context.Background()))
	assert.Len(t, published(t, r), 1)
	assert.ErrorContains(t, r.Rotate(context.Background()), "cannot be rotated here")

	refuses := errors.New("the key service is down")
	broken := newRotator(t, jwks.RotatorConfig{Signer: signerFunc{ecSigner(t), func() ([]byte, error) { return nil, refuses }}})
	_, err := broken.Sign(context.Background(), "", jwt.MapClaims{})
	assert.ErrorIs(t, err, refuses)
	for _, signature := range [][]byte{nil, {}, {0x30, 0}, {0x30, 6, 2, 1, 0, 2, 1, 1}, bytes.Repeat([]byte{0x30}, 70)} {
		odd := newRotator(t, jwks.RotatorConfig{Signer: signerFunc{ecSigner(t), func() ([]byte, error) { return signature, nil }}})
		_, err := odd.Sign(context.Background(), "", jwt.MapClaims{})
		assert.ErrorContains(t, err, "no ECDSA signature of this curve")
	}
}

type signerFunc struct {
	crypto.Signer
	sign func() ([]byte, error)
}

func (s signerFunc) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.sign() }

func TestRotatorServeHTTP(t *testing.T) {
	r := newRotator(t, jwks.RotatorConfig{MaxAge: 2 * time.Minute})
	full := get(t, r, nil)
	etag := full.Header().Get("ETag")
	assert.Equal(t, 200, full.Code)
	assert.Equal(t, "application/json", full.Header().Get("Content-Type"))
	assert.Equal(t, "public, max-age=120", full.Header().Get("Cache-Control"))
	assert.Equal(t, fmt.Sprint(full.Body.Len()), full.Header().Get("Content-Length"))
	assert.Regexp(t, `^"[\w-]{20,}"$`, etag)

	var document struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(full.Body.Bytes(), &document))
	require.Len(t, document.Keys, 2)
	for _, k := range document.Keys {
		names := []string{}
		for name := range k {
			names = append(names, name)
		}
		assert.ElementsMatch(t, []string{"kty", "crv", "x", "y", "kid", "use", "alg"}, names, "and nothing private")
	}
	for _, row := range []struct {
		name, method, match string
		status, length      int
	}{
		{"the document", "GET", "", 200, full.Body.Len()},
		{"its head", "HEAD", "", 200, 0},
		{"not modified", "GET", etag, 304, 0},
		{"not modified, weakly", "GET", "W/" + etag, 304, 0},
		{"not modified, one of several", "GET", `"x", ` + etag, 304, 0},
		{"not modified, whatever it is", "GET", "*", 304, 0},
		{"modified", "GET", `"x"`, 200, full.Body.Len()},
		{"another method", "POST", "", 405, len("method not allowed\n")},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := httptest.NewRequest(row.method, "/keys", nil)
			req.Header.Set("If-None-Match", row.match)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			assert.Equal(t, row.status, w.Code)
			assert.Equal(t, row.length, w.Body.Len())
			assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
			if row.status == 405 {
				assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
			} else {
				assert.Equal(t, etag, w.Header().Get("ETag"))
			}
		})
	}
	require.NoError(t, r.Rotate(context.Background()))
	assert.NotEqual(t, etag, get(t, r, nil).Header().Get("ETag"))
}

// TestRotatorSecrets: nothing that is logged or printed has a private key in it.
func TestRotatorSecrets(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store := &flakyStore{}
	r := newRotator(t, jwks.RotatorConfig{Logger: log, Store: store})
	sign(t, r)
	require.NoError(t, r.Rotate(context.Background()))
	log.Info("rotator", "rotator", r)
	memory := &store.MemoryKeyStore
	_, _ = fmt.Fprintf(&out, "%v %+v %#v %x %v %+v %#v", r, r, r, r, memory, memory, memory)
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	outside := newRotator(t, jwks.RotatorConfig{Algorithm: "EdDSA", Signer: private})
	_, _ = fmt.Fprintf(&out, "%v %x", outside, outside)
	assert.NotContains(t, out.String(), hex.EncodeToString(private[:8]))
	for _, secret := range secrets(t, store) {
		assert.NotContains(t, out.String(), secret)
	}
}
