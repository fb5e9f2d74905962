package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
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

// verify verifies a token with the keys that src has for its header.
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

// published returns the kids in the document.
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
	maps.Copy(req.Header, header)
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

// onlySigner hides the type of a key, as a key management service does.
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

// privateKey returns the active key of a store.
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

// TestRotatorSchedule follows keys from next to gone.
func TestRotatorSchedule(t *testing.T) {
	const every, maxAge, lifetime = 24 * time.Hour, 5 * time.Minute, time.Hour
	config := jwks.RotatorConfig{RotateEvery: every, MaxAge: maxAge, TokenLifetime: lifetime}
	runScenarios(t, []scenario{
		{"at the first start one key signs at once and the next is published", func(t *testing.T) {
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
		{"an emergency rotation activates the key that everybody has", func(t *testing.T) {
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
		{"clocks of nodes may differ by a minute: no token is rejected before it expires", func(t *testing.T) {
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
		{"nodes whose clocks differ agree, since the store decides", func(t *testing.T) {
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
		{"a node follows the rotation of another within seconds", func(t *testing.T) {
			cfg := config
			cfg.Store = new(jwks.MemoryKeyStore)
			a, b := newRotator(t, cfg), newRotator(t, cfg)
			assert.Equal(t, kidOf(t, sign(t, a)), kidOf(t, sign(t, b)))
			require.NoError(t, a.Rotate(context.Background()))
			time.Sleep(10 * time.Second)
			assert.Equal(t, kidOf(t, sign(t, a)), kidOf(t, sign(t, b)))
		}},
		{"a changed algorithm holds for the keys that are made from then on", func(t *testing.T) {
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
		{"rotating faster than anybody can follow", jwks.RotatorConfig{RotateEvery: 10 * time.Minute}, []string{"RotateEvery 10m0s is less than three times MaxAge 5m0s"}},
		{"a Signer and a Store", jwks.RotatorConfig{Signer: onlySigner{}, Store: new(jwks.MemoryKeyStore)}, []string{"a Signer is held elsewhere"}},
		{"a Signer of another type", jwks.RotatorConfig{Algorithm: "RS256", Signer: ecSigner(t)}, []string{`alg "RS256" does not fit the key`}},
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

func TestRotatorWithSigner(t *testing.T) {
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
		{"HEAD", "HEAD", "", 200, 0},
		{"not modified", "GET", etag, 304, 0},
		{"not modified, weakly", "GET", "W/" + etag, 304, 0},
		{"not modified, one of several", "GET", `"x", ` + etag, 304, 0},
		{"not modified, any", "GET", "*", 304, 0},
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

// TestRotatorSecrets: no log and no print holds a private key.
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
